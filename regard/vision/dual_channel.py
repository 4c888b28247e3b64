"""DANet's channel attention: which channels go together?"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard.scores import Dot, ScaledDot
from regard.vision._checks import require_choice, require_counts, require_maps
from regard.vision._rows import one_head

VARIANTS = ("official", "paper")


class DualChannelAttention(nn.Module):
    """Every channel attends to channels that respond in the same places, or in different ones.

        weights = softmax(E)  or  softmax(max(E) - E)    E = X Xᵀ    output = x + β weights X

    There are no projections: a row of X is a channel's values at all places. β starts at 0.

    Args:
        variant: the authors' code, and so the published weights, uses `max(E) - E`, so that a
            channel attends to those least similar to it; the paper uses E.

    Raises:
        ValueError: an unknown variant, a count below 1, or maps with another number of channels.

    Example:
        >>> block = DualChannelAttention(32)
        >>> x = torch.randn(2, 32, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 1, 32, 32]))

    References:
        Fu, Liu, Tian, Li, Bao, Fang, Lu. Dual Attention Network for Scene Segmentation. 2019.
        https://arxiv.org/abs/1809.02983
    """

    starts_as_identity = True

    def __init__(self, channels: int, variant: Literal["official", "paper"] = "official") -> None:
        super().__init__()
        require_counts("DualChannelAttention", channels=channels)
        require_choice("DualChannelAttention", "variant", variant, VARIANTS)
        self.channels, self.variant = channels, variant
        # The largest energy of a row is the same for all of its channels: softmax forgets it.
        self.score = Dot() if variant == "paper" else ScaledDot(-1.0)
        self.beta = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        """Start as the identity again, as after `to_empty`."""
        nn.init.zeros_(self.beta)

    def weights(
        self, x: Float[Tensor, "batch channels *places"], rows: Chosen = None
    ) -> Float[Tensor, "batch 1 some_channels channels"]:
        """The weights of each channel, or of those in `rows`, over all channels."""
        require_maps("DualChannelAttention", x, self.channels)
        channels = one_head(x.flatten(2))
        return attention_weights(channels, channels, score=self.score, rows=rows)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        require_maps("DualChannelAttention", x, self.channels)
        channels = one_head(x.flatten(2))
        taken = attention(channels, channels, channels, score=self.score)
        return x + self.beta * taken.reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.channels}, variant={self.variant!r}"
