"""A non-local block whose places attend to a few pooled anchors instead of all places."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard.vision._checks import (
    hidden_channels,
    require_choice,
    require_counts,
    require_maps,
    require_share,
    require_values,
)
from regard.vision._rows import RectifiedRows, laid_out, map_of, one_head, rows_of

PYRAMID = (1, 3, 6, 8)
JOINS = ("concat", "sum")


class AsymmetricNonLocal(nn.Module):
    """Every place attends to a pyramid of averages of the map (APNB).

        θ = φ = relu(norm(W_k x))
        y = softmax(θ pyramid(φ)ᵀ / sqrt(inner)) pyramid(W_v x)
        output = dropout(relu(norm(W [W_z y; x])))          join="concat"
        output = x + W_z y                                  join="sum"

    The pyramid of sizes 1, 3, 6 and 8 pools a map to 1 + 9 + 36 + 64 = 110 anchors, whatever its
    size. Maps with one spatial dimension have 18 anchors, with three 756. W_z is initialized to
    zero.

    Args:
        reduction: the inner width is `channels / reduction`, at least one.
        sizes: of the pyramid, along each axis.
        join: how the result is combined with the map; the sum starts as the identity, and is not
            published.
        dropout: probability of dropping a channel, for `join="concat"`.

    Raises:
        ValueError: an unknown option, a count below 1, maps with another number of channels, or a
            batch of one value per channel in training.

    Example:
        >>> block, x = AsymmetricNonLocal(32), torch.randn(2, 32, 12, 15)
        >>> block(x).shape, block.weights(x).shape
        (torch.Size([2, 32, 12, 15]), torch.Size([2, 1, 180, 110]))

    References:
        Zhu, Xu, Bai, Huang, Bai. Asymmetric Non-local Neural Networks for Semantic Segmentation.
        2019. https://arxiv.org/abs/1908.07678
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 2,
        sizes: Sequence[int] = PYRAMID,
        join: Literal["concat", "sum"] = "concat",
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        require_counts("AsymmetricNonLocal", channels=channels, reduction=reduction)
        require_choice("AsymmetricNonLocal", "join", join, JOINS)
        self.channels, self.reduction, self.join = channels, reduction, join
        self.sizes = pyramid_sizes("AsymmetricNonLocal", sizes)
        self.dropout = require_share("AsymmetricNonLocal", "dropout", dropout)
        inner = hidden_channels(channels, reduction)
        self.key = RectifiedRows(channels, inner)
        self.value = nn.Linear(channels, inner)
        self.out = zero_linear(inner, channels)
        self.joint = RectifiedRows(2 * channels, channels) if join == "concat" else None
        self.drop = nn.Dropout1d(dropout)

    @property
    def starts_as_identity(self) -> bool:
        return self.joint is None

    def weights(
        self, x: Float[Tensor, "batch channels *places"], rows: Chosen = None
    ) -> Float[Tensor, "batch 1 some_places anchors"]:
        """The weights of each place, or of those in `rows`, over the anchors."""
        self._check(x)
        query = self.key(rows_of(x))
        key = anchors(map_of(query, x), self.sizes)
        return attention_weights(one_head(query), one_head(key), rows=rows)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        self._check(x)
        places = rows_of(x)
        query = self.key(places)
        key = anchors(map_of(query, x), self.sizes)
        value = anchors(map_of(self.value(places), x), self.sizes)
        taken = attention(one_head(query), one_head(key), one_head(value))
        context = self.out(taken.squeeze(1))
        if self.joint is None:
            return x + map_of(context, x)
        joined = map_of(self.joint(torch.cat([context, places], 2)), x)
        return self.drop(joined.flatten(2)).reshape(x.shape).contiguous(memory_format=laid_out(x))

    def _check(self, x: Tensor) -> None:
        require_maps("AsymmetricNonLocal", x, self.channels)
        require_poolable("AsymmetricNonLocal", x)
        require_values("AsymmetricNonLocal", self.key.norm, x)

    def extra_repr(self) -> str:
        more = f"sizes={self.sizes}, join={self.join!r}, dropout={self.dropout}"
        return f"{self.channels}, reduction={self.reduction}, {more}"


def anchors(
    x: Float[Tensor, "batch channels *places"], sizes: tuple[int, ...]
) -> Float[Tensor, "batch anchors channels"]:
    """The averages of a pyramid: of the whole map, of three parts along each axis, and so on.

    >>> anchors(torch.ones(2, 8, 12, 15), (1, 3, 6, 8)).shape
    torch.Size([2, 110, 8])
    """
    pools = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
    pool = pools[x.ndim - 2]
    return torch.cat([rows_of(pool(x, size)) for size in sizes], 1)


def pyramid_sizes(block: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes of a pyramid; there must be some, and all integers of at least 1."""
    if isinstance(sizes, str) or not isinstance(sizes, Sequence) or not sizes:
        raise ValueError(f"{block} needs sizes such as (1, 3, 6, 8), got {sizes!r}")
    for n, size in enumerate(sizes):
        require_counts(block, **{f"sizes[{n}]": size})
    return tuple(sizes)


def require_poolable(block: str, x: Tensor) -> None:
    """Raise `ValueError` for more than three spatial dimensions."""
    if x.ndim > 5:
        raise ValueError(f"{block} pools at most three kinds of places, got {[*x.shape]}")


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer initialized to zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
