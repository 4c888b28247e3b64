"""Which values matter here? Those that stand out from their channel, without parameters."""

from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import require_counts, require_maps
from regard.vision._maps import widened


class SimAM(nn.Module):
    """A gate for every value, from its distance to the mean of its channel; no parameters.

        g(x) = sigmoid((x - mean)^2 / (4 (variance + ridge)) + 1 / 2)        output = g(x) * x

    The variance is over the channel's places, divided by their number minus one; that of a single
    place is 0. 16-bit inputs are squared in float32.

    Args:
        ridge: added to the variance; the published ResNets for ImageNet have 0.1.

    Raises:
        ValueError: a ridge that is not above 0, or maps with another number of channels.

    Example:
        >>> SimAM(32).weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])

    References:
        Yang, Zhang, Li, Xie. SimAM: A Simple, Parameter-Free Attention Module for Convolutional
            Neural Networks. 2021. https://proceedings.mlr.press/v139/yang21o.html
    """

    starts_as_identity = False

    def __init__(self, channels: int, ridge: float = 1e-4) -> None:
        super().__init__()
        require_counts("SimAM", channels=channels)
        if isinstance(ridge, bool) or not isinstance(ridge, (int, float)) or not ridge > 0:
            raise ValueError(f"SimAM needs a ridge above 0, got {ridge!r}")
        self.channels, self.ridge = channels, ridge

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, *places]`."""
        require_maps("SimAM", x, self.channels)
        places = [*range(2, x.ndim)]
        wide = widened(x)
        squares = (wide - wide.mean(places, keepdim=True)).square()
        others: Any = prod(x.shape[2:]) - 1  # a tensor under torch.jit.trace
        others = others.clamp(min=1) if isinstance(others, Tensor) else torch.sym_max(others, 1)
        variance = squares.sum(places, keepdim=True) / others
        return torch.sigmoid(squares / (4 * (variance + self.ridge)) + 0.5).to(x.dtype)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        return f"{self.channels}, ridge={self.ridge}"
