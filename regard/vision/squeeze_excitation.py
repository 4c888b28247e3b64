"""Which channels matter here? Gates from their means."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import hidden_channels, require_counts, require_maps
from regard.vision._maps import means_of, over_places


class SqueezeExcitation(nn.Module):
    """A gate for each channel, from the means of all channels.

        g(x) = sigmoid(W_2 relu(W_1 mean(x) + b_1) + b_2)        output = g(x) * x

    Args:
        reduction: the bottleneck has `channels / reduction` units.
        at_least: the smallest number of these; timm's networks have eight.

    Raises:
        ValueError: a count below 1, or maps with another number of channels.

    Example:
        >>> block = SqueezeExcitation(32, reduction=8)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 1, 1])

    References:
        Hu, Shen, Sun. Squeeze-and-Excitation Networks. 2018. https://arxiv.org/abs/1709.01507
    """

    starts_as_identity = False

    def __init__(self, channels: int, reduction: int = 16, at_least: int = 1) -> None:
        super().__init__()
        given = {"channels": channels, "reduction": reduction, "at_least": at_least}
        require_counts("SqueezeExcitation", **given)
        self.channels, self.reduction, self.at_least = channels, reduction, at_least
        hidden = hidden_channels(channels, reduction, at_least)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, 1, ...]`."""
        require_maps("SqueezeExcitation", x, self.channels)
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(means_of(x)))))
        return over_places(gates, x)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return x * self.weights(x)

    def extra_repr(self) -> str:
        least = "" if self.at_least == 1 else f", at_least={self.at_least}"
        return f"{self.channels}, reduction={self.reduction}{least}"
