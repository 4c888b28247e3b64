"""Which channels, or places, matter here? Gates from their covariances."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from regard.vision._checks import require_counts, require_maps, require_values
from regard.vision._maps import at_each_place, over_places
from regard.vision.covariance_pooling import covariance

FACTOR = 4


class _Rows(nn.Module):
    """A number of every row of a covariance: normed by rows, then each row by weights of its own.

    4 numbers are made of each row, and from those of all rows the `outputs` of the whole.
    """

    def __init__(self, rows: int, outputs: int, rectified: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(rows)
        self.each = nn.Conv1d(rows, FACTOR * rows, rows, groups=rows)
        self.between = nn.ReLU() if rectified else nn.Identity()
        self.all = nn.Linear(FACTOR * rows, outputs)

    def forward(self, matrix: Tensor) -> Tensor:
        return self.all(self.between(self.each(self.norm(matrix)).squeeze(2)))


class GlobalSecondOrderPooling(nn.Module):
    """A gate for each channel, from the covariance of the reduced channels.

        y = relu(norm(W relu(x) + b))        A = (y - mean)(y - mean)^T / places
        g(x) = sigmoid(W_2 rows(norm(A)) + b_2)        output = g(x) * x

    Every row of A has its own norm and 4 weight vectors, by which rows maps it to 4 numbers. As in
    the authors' code, there is no activation between the two layers, and a ReLU of x before them.

    Args:
        dim: number of reduced channels.

    Raises:
        ValueError: a count below 1, maps with another number of channels, or a single place of a
            single image in training.

    Example:
        >>> block = GlobalSecondOrderPooling(32, dim=16)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 1, 1])

    References:
        Gao, Xie, Wang, Li. Global Second-order Pooling Convolutional Networks. 2019.
            https://arxiv.org/abs/1811.12006
    """

    starts_as_identity = False

    def __init__(self, channels: int, dim: int = 128) -> None:
        super().__init__()
        require_counts("GlobalSecondOrderPooling", channels=channels, dim=dim)
        self.channels, self.dim = channels, dim
        self.reduce = nn.Linear(channels, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.rows = _Rows(dim, channels, rectified=False)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, 1, ...]`."""
        require_maps("GlobalSecondOrderPooling", x, self.channels)
        require_values("GlobalSecondOrderPooling", self.norm, x)
        y = at_each_place(self.reduce, torch.relu(x)).flatten(2)
        y = torch.relu(self.norm(y))
        return over_places(torch.sigmoid(self.rows(covariance(y).to(y.dtype))), x)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, dim={self.dim}"


class SpatialSecondOrderPooling(nn.Module):
    """A gate for each place, from the covariance of the places of a downsampled map.

        y = the means of norm(W relu(x) + b) in `size * size` windows
        A = (y - mean)^T (y - mean) / dim
        g(x) = sigmoid(W_2 relu(rows(norm(A))) + b_2), one for each window
        output = g(x) * x

    `GlobalSecondOrderPooling` for places. A place between two windows takes the mean of their
    gates, as the pooling in the authors' code does. Their code also applies a ReLU to the output,
    which is left to the residual unit here.

    Args:
        dim: number of reduced channels.
        size: rows and columns of the downsampled map.

    Raises:
        ValueError: a count below 1, maps that are not images with this number of channels, or a
            single place of a single image in training.

    Example:
        >>> block = SpatialSecondOrderPooling(32, dim=16, size=4)
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 1, 7, 5])

    References:
        Gao, Xie, Wang, Li. Global Second-order Pooling Convolutional Networks. 2019.
            https://arxiv.org/abs/1811.12006
    """

    starts_as_identity = False

    def __init__(self, channels: int, dim: int = 128, size: int = 8) -> None:
        super().__init__()
        require_counts("SpatialSecondOrderPooling", channels=channels, dim=dim, size=size)
        self.channels, self.dim, self.size = channels, dim, size
        self.reduce = nn.Linear(channels, dim)
        self.norm = nn.BatchNorm1d(dim)
        self.rows = _Rows(size * size, size * size, rectified=True)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, 1, height, width]`."""
        require_maps("SpatialSecondOrderPooling", x, self.channels, dims=2)
        require_values("SpatialSecondOrderPooling", self.norm, x)
        y = at_each_place(self.reduce, torch.relu(x))
        y = adaptive_avg_pool2d(self.norm(y.flatten(2)).reshape(y.shape), self.size).flatten(2)
        gates = torch.sigmoid(self.rows(covariance(y.mT).to(y.dtype)))
        gates = gates.reshape(-1, 1, self.size, self.size)
        return adaptive_avg_pool2d(gates, (x.shape[2], x.shape[3]))

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, dim={self.dim}, size={self.size}"
