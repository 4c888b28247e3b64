"""Channel attention, then spatial attention, both from means and maxima."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import (
    hidden_channels,
    require_choice,
    require_counts,
    require_maps,
    require_odd,
    require_values,
)
from regard.vision._maps import (
    CONVOLUTIONS,
    NORMS,
    largest,
    mean_over,
    means_of,
    over_places,
)

VARIANTS = ("official", "paper")


class CBAMChannel(nn.Module):
    """A gate for each channel, from the means and maxima of all channels.

        g(x) = sigmoid(MLP(mean(x)) + MLP(max(x)))        output = g(x) * x
        MLP(v) = W_2 relu(W_1 v + b_1) + b_2

    Args:
        reduction: the hidden layer has `channels / reduction` units, at least one.

    Raises:
        ValueError: a count below 1, or maps with another number of channels.

    Example:
        >>> CBAMChannel(32).weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 1, 1])

    References:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module. 2018.
            https://arxiv.org/abs/1807.06521
    """

    starts_as_identity = False

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        require_counts("CBAMChannel", channels=channels, reduction=reduction)
        self.channels, self.reduction = channels, reduction
        hidden = hidden_channels(channels, reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, 1, ...]`."""
        require_maps("CBAMChannel", x, self.channels)
        of_means, of_maxima = (
            self.excite(torch.relu(self.squeeze(pooled)))
            for pooled in (means_of(x), largest(x.flatten(2), 2))
        )
        return over_places(torch.sigmoid(of_means + of_maxima), x)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}"


class CBAMSpatial(nn.Module):
    """A gate for each place, from the channels' maxima and means in its neighborhood.

        g(x) = sigmoid(convolution of [max(x), mean(x)])        output = g(x) * x

    The authors' code adds a batch norm with momentum 0.01 after the convolution and initializes
    its scale to 0, so that every gate starts at one half. The published weights are from that code.

    Args:
        kernel_size: of the convolution in each dimension, odd.
        variant: "official" has the batch norm, "paper" has none.
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: an even kernel, an unknown variant, or maps with other channels or spatial
            dimensions; in training, a batch of a single place.

    Example:
        >>> CBAMSpatial(32).weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 1, 7, 5])

    References:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module. 2018.
            https://arxiv.org/abs/1807.06521
    """

    starts_as_identity = False

    def __init__(
        self, channels: int, kernel_size: int = 7, variant: str = "official", dims: int = 2
    ) -> None:
        super().__init__()
        require_counts("CBAMSpatial", channels=channels)
        require_odd("CBAMSpatial", "kernel_size", kernel_size)
        require_choice("CBAMSpatial", "variant", variant, VARIANTS)
        require_choice("CBAMSpatial", "dims", dims, CONVOLUTIONS)
        self.channels, self.kernel_size = channels, kernel_size
        self.variant, self.dims = variant, dims
        convolution = CONVOLUTIONS[dims]
        self.convolution = convolution(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm: nn.Module = nn.Identity()
        if variant == "official":
            self.norm = NORMS[dims](1, momentum=0.01)
            nn.init.zeros_(self.norm.weight)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, 1, *places]`."""
        require_maps("CBAMSpatial", x, self.channels, self.dims)
        pooled = torch.stack([largest(x, 1), mean_over(x, 1)], 1)
        scores = self.convolution(pooled)
        require_values("CBAMSpatial", self.norm, scores)
        return torch.sigmoid(self.norm(scores))

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}, variant={self.variant!r}"


class ConvolutionalBlockAttention(nn.Module):
    """Gates for channels (`CBAMChannel`), then gates for places (`CBAMSpatial`) of the result.

        y = g_channels(x) * x        output = g_places(y) * y

    There is no residual inside: the block goes before the sum of a residual connection.

    Args:
        reduction: the hidden layer of the channels' gate has `channels / reduction` units.
        kernel_size: of the convolution of the places' gate in each dimension, odd.
        variant: "official" has a batch norm after that convolution, "paper" has none.
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: an even kernel, a count below 1, an unknown variant, or maps with other channels
            or spatial dimensions; in training, a batch of a single place.

    Example:
        >>> block = ConvolutionalBlockAttention(32)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> {name: [*gate.shape] for name, gate in block.weights(torch.randn(2, 32, 7, 5)).items()}
        {'channels': [2, 32, 1, 1], 'places': [2, 1, 7, 5]}

    References:
        Woo, Park, Lee, Kweon. CBAM: Convolutional Block Attention Module. 2018.
            https://arxiv.org/abs/1807.06521
    """

    starts_as_identity = False

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        kernel_size: int = 7,
        variant: str = "official",
        dims: int = 2,
    ) -> None:
        super().__init__()
        name = "ConvolutionalBlockAttention"
        require_counts(name, channels=channels, reduction=reduction)
        require_odd(name, "kernel_size", kernel_size)
        require_choice(name, "variant", variant, VARIANTS)
        require_choice(name, "dims", dims, CONVOLUTIONS)
        self.channels, self.reduction, self.kernel_size = channels, reduction, kernel_size
        self.variant, self.dims = variant, dims
        self.channel = CBAMChannel(channels, reduction)
        self.spatial = CBAMSpatial(channels, kernel_size, variant, dims)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> dict[str, Tensor]:
        """The gates: `channels` `[batch, channels, 1, ...]`, and `places` `[batch, 1, *places]`."""
        self._check(x)
        channels = self.channel.weights(x)
        return {"channels": channels, "places": self.spatial.weights(channels * x)}

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        self._check(x)
        return self.spatial(self.channel(x))

    def _check(self, x: Tensor) -> None:
        require_maps("ConvolutionalBlockAttention", x, self.channels, self.dims)
        require_values("ConvolutionalBlockAttention", self.spatial.norm, x[:, :1])

    def extra_repr(self) -> str:
        return f"{self.channels}"
