"""Channel and spatial attention side by side, at the bottlenecks of a network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import (
    hidden_channels,
    require_choice,
    require_counts,
    require_maps,
    require_values,
)
from regard.vision._maps import CONVOLUTIONS, NORMS, means_of, over_places

VARIANTS = ("official", "paper")


class BottleneckAttention(nn.Module):
    """A gate for each channel of each place, from a channel score and a place score.

        g(x) = sigmoid(s_channel + s_place)        output = x + g(x) * x
        s_channel = norm(W_2 relu(W_1 mean(x)))
        s_place = norm(c_3 relu(c_2 relu(c_1 relu(c_0 x))))

    c_0 and c_3 are convolutions of size 1, c_1 and c_2 of size 3 and dilated. The authors' code,
    from which the published weights are, multiplies the two scores instead, and has batch norms
    before every ReLU instead of at the ends. The paper's equations name no activation between the
    layers; here it is the code's ReLU.

    Args:
        reduction: the hidden layers have `channels / reduction` units, at least one.
        dilation: of the two convolutions of size 3.
        variant: "official" or "paper".
        dims: 1 for sequences, 2 for images, 3 for volumes.

    Raises:
        ValueError: a count below 1, an unknown variant, maps with other channels or spatial
            dimensions, or a single image in training: channel scores are normalized over the batch
            alone.

    Example:
        >>> block = BottleneckAttention(32)
        >>> block(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])
        >>> block.weights(torch.randn(2, 32, 7, 5)).shape
        torch.Size([2, 32, 7, 5])

    References:
        Park, Woo, Lee, Kweon. BAM: Bottleneck Attention Module. 2018.
            https://arxiv.org/abs/1807.06514
    """

    starts_as_identity = False

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        dilation: int = 4,
        variant: str = "official",
        dims: int = 2,
    ) -> None:
        super().__init__()
        counts = {"channels": channels, "reduction": reduction, "dilation": dilation}
        require_counts("BottleneckAttention", **counts)
        require_choice("BottleneckAttention", "variant", variant, VARIANTS)
        require_choice("BottleneckAttention", "dims", dims, CONVOLUTIONS)
        self.channels, self.reduction, self.dilation = channels, reduction, dilation
        self.variant, self.dims = variant, dims
        hidden, official = hidden_channels(channels, reduction), variant == "official"
        convolution = CONVOLUTIONS[dims]
        # A bias in front of a norm that is at the end anyway would be taken away by it.
        self.of_channels = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden) if official else nn.Identity(),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=official),
            nn.Identity() if official else nn.BatchNorm1d(channels),
        )
        layers: list[nn.Module] = []
        for c in (
            convolution(channels, hidden, 1),
            convolution(hidden, hidden, 3, padding=dilation, dilation=dilation),
            convolution(hidden, hidden, 3, padding=dilation, dilation=dilation),
        ):
            layers += [c, NORMS[dims](hidden) if official else nn.Identity(), nn.ReLU()]
        self.of_places = nn.Sequential(
            *layers,
            convolution(hidden, 1, 1, bias=official),
            nn.Identity() if official else NORMS[dims](1),
        )

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The gates `[batch, channels, *places]`."""
        require_maps("BottleneckAttention", x, self.channels, self.dims)
        means = means_of(x)
        norm = self.of_channels[1 if self.variant == "official" else 4]
        require_values("BottleneckAttention", norm, means)
        channel, place = over_places(self.of_channels(means), x), self.of_places(x)
        return torch.sigmoid(channel * place if self.variant == "official" else channel + place)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        return torch.addcmul(x, x, self.weights(x))

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}, variant={self.variant!r}"
