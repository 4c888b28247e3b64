"""Covariance pooling: a vector per map from how its channels vary together, instead of means."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._backends._bind import without_autocast
from regard.vision._checks import require_counts, require_maps
from regard.vision._maps import widened


def covariance(x: Float[Tensor, "batch rows values"]) -> Float[Tensor, "batch rows rows"]:
    """The covariance of every two rows, divided by the number of values.

    At least float32, because squares of activations overflow 16 bits.

    >>> covariance(torch.tensor([[[0.0, 2.0], [3.0, -3.0]]]))
    tensor([[[ 1., -3.],
             [-3.,  9.]]])
    """
    with without_autocast(x.device.type):
        centered = widened(x)
        centered = centered - centered.mean(2, keepdim=True)
        return centered @ centered.mT / x.shape[2]


def square_root(
    matrix: Float[Tensor, "batch rows rows"], iterations: int
) -> Float[Tensor, "batch rows rows"]:
    """The approximate matrix square root of a covariance, by Newton–Schulz iterations.

        Y_0 = A / trace(A), Z_0 = I        T = (3 I - Z Y) / 2, Y <- Y T, Z <- T Z
        sqrt(A) ~ sqrt(trace(A)) Y

    It uses only matrix products, so it is fast on a GPU and gradients stay finite where
    eigenvalues coincide. The root of zeros is zeros.

    >>> square_root(torch.diag(torch.tensor([4.0, 9.0]))[None], 20).round(decimals=4)
    tensor([[[2., 0.],
             [0., 3.]]])
    """
    least = torch.finfo(matrix.dtype).eps ** 2
    trace = matrix.diagonal(dim1=1, dim2=2).sum(1).clamp_min(least)[:, None, None]
    eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    y, z = matrix / trace, eye.expand_as(matrix)
    for _ in range(iterations):
        step = 1.5 * eye - 0.5 * (z @ y)
        y, z = y @ step, step @ z
    return trace.sqrt() * y


class CovariancePooling(nn.Module):
    """The square root of the covariance of the channels, each entry of its upper triangle once.

        A = (x - mean)(x - mean)^T / places        output = upper(sqrt(A))

    Replaces global average pooling before a network's last layer, whose input it widens to
    `channels * (channels + 1) / 2` numbers. It has no parameters.

    Args:
        iterations: of `square_root`; the paper uses 5, GSoP-Net2 3.

    Raises:
        ValueError: a count below 1, or maps with another number of channels.

    Example:
        >>> pool = CovariancePooling(32)
        >>> pool(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 528])

    References:
        Li, Xie, Wang, Gao. Towards Faster Training of Global Covariance Pooling Networks by
            Iterative Matrix Square Root Normalization. 2018. https://arxiv.org/abs/1712.01034
    """

    def __init__(self, channels: int, iterations: int = 5) -> None:
        super().__init__()
        require_counts("CovariancePooling", channels=channels, iterations=iterations)
        self.channels, self.iterations = channels, iterations

    def forward(self, x: Float[Tensor, "batch channels *places"]) -> Float[Tensor, "batch entries"]:
        require_maps("CovariancePooling", x, self.channels)
        with without_autocast(x.device.type):
            root = square_root(covariance(x.flatten(2)), self.iterations)
        rows, columns = torch.triu_indices(*root.shape[1:], device=x.device)
        return root[:, rows, columns].to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.channels}, iterations={self.iterations}"
