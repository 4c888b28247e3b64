"""DANet's position attention: which places go together?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard.scores import Dot
from regard.vision._checks import hidden_channels, require_counts, require_maps
from regard.vision._rows import map_of, one_head, rows_of


class DualPositionAttention(nn.Module):
    """Every place attends to similar places.

        weights = softmax((W_q x)ᵀ (W_k x))        output = x + α Σ_j weights_ij (W_v x_j)

    The products are not scaled, and α starts at 0. W_k has no bias: softmax would cancel it.

    Args:
        reduction: queries and keys have width `channels / reduction`, at least one.

    Raises:
        ValueError: a count below 1, or maps with another number of channels.

    Example:
        >>> block = DualPositionAttention(32)
        >>> x = torch.randn(2, 32, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 1, 35, 35]))

    References:
        Fu, Liu, Tian, Li, Bao, Fang, Lu. Dual Attention Network for Scene Segmentation. 2019.
        https://arxiv.org/abs/1809.02983
    """

    starts_as_identity = True

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        require_counts("DualPositionAttention", channels=channels, reduction=reduction)
        self.channels, self.reduction = channels, reduction
        hidden = hidden_channels(channels, reduction)
        self.query = nn.Linear(channels, hidden)
        self.key = nn.Linear(channels, hidden, bias=False)
        self.value = nn.Linear(channels, channels)
        self.alpha = nn.Parameter(torch.zeros(()))

    def reset_parameters(self) -> None:
        """Start as the identity again, as after `to_empty`."""
        nn.init.zeros_(self.alpha)

    def weights(
        self, x: Float[Tensor, "batch channels *places"], rows: Chosen = None
    ) -> Float[Tensor, "batch 1 some_places all_places"]:
        """The weights of each place, or of those in `rows`, over all places."""
        require_maps("DualPositionAttention", x, self.channels)
        places = one_head(rows_of(x))
        return attention_weights(self.query(places), self.key(places), score=Dot(), rows=rows)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        require_maps("DualPositionAttention", x, self.channels)
        places = one_head(rows_of(x))
        query, key, value = self.query(places), self.key(places), self.value(places)
        taken = attention(query, key, value, score=Dot())
        return x + self.alpha * map_of(taken.squeeze(1), x)

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}"
