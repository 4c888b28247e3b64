"""DANet's position and channel attention combined."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard.vision._checks import require_choice, require_counts, require_maps
from regard.vision.dual_channel import VARIANTS, DualChannelAttention
from regard.vision.dual_position import DualPositionAttention


class DualAttention(nn.Module):
    """Position and channel attention side by side on the same map.

        output = x + α position(x) + β channel(x)

    DANet's head has convolutions before and after each branch, and sums their results; those
    belong to the network. Here both branches read the map itself, which is added once.

    Args:
        reduction: as in `DualPositionAttention`.
        variant: as in `DualChannelAttention`.

    Raises:
        ValueError: an unknown variant, a count below 1, or maps with another number of channels.

    Example:
        >>> import torch
        >>> block = DualAttention(32)
        >>> x = torch.randn(2, 32, 7, 5)
        >>> {name: list(weights.shape) for name, weights in block.weights(x).items()}
        {'position': [2, 1, 35, 35], 'channel': [2, 1, 32, 32]}

    References:
        Fu, Liu, Tian, Li, Bao, Fang, Lu. Dual Attention Network for Scene Segmentation. 2019.
        https://arxiv.org/abs/1809.02983
    """

    starts_as_identity = True

    def __init__(
        self,
        channels: int,
        reduction: int = 8,
        variant: Literal["official", "paper"] = "official",
    ) -> None:
        super().__init__()
        require_counts("DualAttention", channels=channels, reduction=reduction)
        require_choice("DualAttention", "variant", variant, VARIANTS)
        self.channels, self.reduction, self.variant = channels, reduction, variant
        self.position = DualPositionAttention(channels, reduction)
        self.channel = DualChannelAttention(channels, variant)

    def weights(
        self, x: Float[Tensor, "batch channels *places"], rows: Chosen = None
    ) -> dict[str, Tensor]:
        """The weights of both, by name; `rows` selects places."""
        require_maps("DualAttention", x, self.channels)
        return {"position": self.position.weights(x, rows), "channel": self.channel.weights(x)}

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        require_maps("DualAttention", x, self.channels)
        return self.position(x) + (self.channel(x) - x)

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}, variant={self.variant!r}"
