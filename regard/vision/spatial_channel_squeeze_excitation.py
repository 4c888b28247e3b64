"""Channel and spatial gates in parallel, both applied to x."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import hidden_channels, require_choice, require_counts, require_maps
from regard.vision._maps import at_each_place, means_of, over_places

VARIANTS = ("paper", "official")


class SpatialChannelSqueezeExcitation(nn.Module):
    """A gate for each channel, from all means, and a gate for each place, from its channels.

        g_channels(x) = sigmoid(W_2 relu(W_1 mean(x) + b_1) + b_2)
        g_places(x) = sigmoid(w . x + b)
        output = g_channels(x) * x + g_places(x) * x

    The authors' code takes the larger of the two products instead of their sum.

    Args:
        reduction: the bottleneck has `channels / reduction` units, at least one.
        variant: "paper" or "official".

    Raises:
        ValueError: a count below 1, an unknown variant, or maps with another number of channels.

    Example:
        >>> block = SpatialChannelSqueezeExcitation(32)
        >>> {name: [*gate.shape] for name, gate in block.weights(torch.randn(2, 32, 7, 5)).items()}
        {'channels': [2, 32, 1, 1], 'places': [2, 1, 7, 5]}

    References:
        Roy, Navab, Wachinger. Concurrent Spatial and Channel Squeeze & Excitation in Fully
            Convolutional Networks. 2018. https://arxiv.org/abs/1803.02579
    """

    starts_as_identity = False

    def __init__(self, channels: int, reduction: int = 2, variant: str = "paper") -> None:
        super().__init__()
        name = "SpatialChannelSqueezeExcitation"
        require_counts(name, channels=channels, reduction=reduction)
        require_choice(name, "variant", variant, VARIANTS)
        self.channels, self.reduction, self.variant = channels, reduction, variant
        hidden = hidden_channels(channels, reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        self.place = nn.Linear(channels, 1)

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> dict[str, Tensor]:
        """The gates: `channels` `[batch, channels, 1, ...]`, and `places` `[batch, 1, *places]`."""
        require_maps("SpatialChannelSqueezeExcitation", x, self.channels)
        channels = torch.sigmoid(self.excite(torch.relu(self.squeeze(means_of(x)))))
        places = torch.sigmoid(at_each_place(self.place, x))
        return {"channels": over_places(channels, x), "places": places}

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        gates = self.weights(x)
        if self.variant == "paper":
            return x * (gates["channels"] + gates["places"])
        return torch.maximum(x * gates["channels"], x * gates["places"])

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}, variant={self.variant!r}"
