"""Fusion of two stages of a network: places of the later one attend to anchors of the earlier."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard.vision._checks import require_counts, require_maps, require_share, require_values
from regard.vision._rows import RectifiedRows, laid_out, map_of, one_head, rows_of
from regard.vision.asymmetric_non_local import (
    PYRAMID,
    anchors,
    pyramid_sizes,
    require_poolable,
    zero_linear,
)


class AsymmetricFusion(nn.Module):
    """Every place of a high-level map attends to averages of a low-level one (AFNB).

        θ = relu(norm(W_q high))        φ = relu(norm(W_k low))
        y = softmax(θ pyramid(φ)ᵀ / sqrt(inner)) pyramid(W_v low)
        output = dropout(relu(norm(W [W_z y; high])))

    The maps may differ in size: the output has the size and channels of the high-level one. W_z is
    initialized to zero.

    Args:
        low_channels: of the map that provides keys, 1024 in the paper (stage 4 of a ResNet).
        high_channels: of the map that provides queries, 2048 in the paper (stage 5).
        inner: width of queries, keys and values.
        sizes: of the pyramid, along each axis.
        dropout: probability of dropping a channel.

    Raises:
        ValueError: a count below 1, maps with another number of channels, or a batch of one value
            per channel in training.

    Example:
        >>> fusion = AsymmetricFusion(low_channels=16, high_channels=32, inner=8)
        >>> low, high = torch.randn(2, 16, 20, 30), torch.randn(2, 32, 10, 15)
        >>> fusion(low, high).shape, fusion.weights(low, high).shape
        (torch.Size([2, 32, 10, 15]), torch.Size([2, 1, 150, 110]))

    References:
        Zhu, Xu, Bai, Huang, Bai. Asymmetric Non-local Neural Networks for Semantic Segmentation.
        2019. https://arxiv.org/abs/1908.07678
    """

    def __init__(
        self,
        low_channels: int,
        high_channels: int,
        inner: int = 256,
        sizes: Sequence[int] = PYRAMID,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        counts = {"low_channels": low_channels, "high_channels": high_channels, "inner": inner}
        require_counts("AsymmetricFusion", **counts)
        self.low_channels, self.high_channels, self.inner = low_channels, high_channels, inner
        self.sizes = pyramid_sizes("AsymmetricFusion", sizes)
        self.dropout = require_share("AsymmetricFusion", "dropout", dropout)
        self.query = RectifiedRows(high_channels, inner)
        self.key = RectifiedRows(low_channels, inner)
        self.value = nn.Linear(low_channels, inner)
        self.out = zero_linear(inner, high_channels)
        self.joint = RectifiedRows(2 * high_channels, high_channels)
        self.drop = nn.Dropout1d(dropout)

    def weights(
        self,
        low: Float[Tensor, "batch low_channels *low_places"],
        high: Float[Tensor, "batch high_channels *places"],
        rows: Chosen = None,
    ) -> Float[Tensor, "batch 1 some_places anchors"]:
        """The weights of each place of `high`, or of those in `rows`, over the anchors of `low`."""
        self._check(low, high)
        query = self.query(rows_of(high))
        key = anchors(map_of(self.key(rows_of(low)), low), self.sizes)
        return attention_weights(one_head(query), one_head(key), rows=rows)

    def forward(
        self,
        low: Float[Tensor, "batch low_channels *low_places"],
        high: Float[Tensor, "batch high_channels *places"],
    ) -> Float[Tensor, "batch high_channels *places"]:
        self._check(low, high)
        query, places = rows_of(high), rows_of(low)
        key = anchors(map_of(self.key(places), low), self.sizes)
        value = anchors(map_of(self.value(places), low), self.sizes)
        taken = attention(one_head(self.query(query)), one_head(key), one_head(value))
        joined = self.joint(torch.cat([self.out(taken.squeeze(1)), query], 2))
        fused = self.drop(map_of(joined, high).flatten(2)).reshape(high.shape)
        return fused.contiguous(memory_format=laid_out(high))

    def _check(self, low: Tensor, high: Tensor) -> None:
        for x, channels in ((low, self.low_channels), (high, self.high_channels)):
            require_maps("AsymmetricFusion", x, channels)
            require_poolable("AsymmetricFusion", x)
        require_values("AsymmetricFusion", self.key.norm, low)
        require_values("AsymmetricFusion", self.query.norm, high)
        if low.shape[0] != high.shape[0]:
            raise ValueError(
                f"AsymmetricFusion reads two maps of one batch, got {low.shape[0]} low-level and "
                f"{high.shape[0]} high-level ones"
            )

    def extra_repr(self) -> str:
        more = f"inner={self.inner}, sizes={self.sizes}, dropout={self.dropout}"
        return f"{self.low_channels}, {self.high_channels}, {more}"
