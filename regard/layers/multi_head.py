"""Multi-head attention: the operator between learned projections."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.cache import Constant, Growing
from regard.layers.join import concat
from regard.layers.projection import Fused, Separate, Unprojected

Join = Callable[[Tensor], Tensor]


@runtime_checkable
class Rotation(Protocol):
    """Turns queries and keys by their position, as `regard.positions.RoPE` does."""

    def __call__(self, x: Tensor, *, offset: int) -> Tensor: ...


class MultiHeadAttention(nn.Module):
    """Project to heads, attend in each, join them, project back.

        head_i = attend(query W_i^Q, key W_i^K, value W_i^V)
        output = join(head_1 ... head_h) W^O

    Initial weights are those of torch and fairseq (Xavier, biases zero).

    Args:
        attend: score, normalizer, masks and so on; scaled dot product and softmax if None.
        kv_heads: number of key/value heads; fewer than `num_heads` are shared by groups of query
            heads (grouped-query attention), 1 by all of them (multi-query).
        head_dim: width of a head; `embed_dim / num_heads` if None.
        join: `concat` or `mean` of the heads.
        project: False leaves out all weights: heads are slices of the input, so that with one head
            self-attention is softmax(x xᵀ / √d) x.
        positions: turns queries and keys before they meet, such as `RoPE()`.
        kv_dim: width of key and value where they are other tokens than the query.

    Raises:
        ValueError: widths or numbers of heads that do not fit together.

    Example:
        >>> layer = MultiHeadAttention(16, 4, kv_heads=2)
        >>> x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
        >>> layer(x).shape, layer(x, memory).shape, layer.weights(x, memory).shape
        (torch.Size([2, 5, 16]), torch.Size([2, 5, 16]), torch.Size([2, 4, 5, 7]))

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
        Ainslie et al. GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
        Checkpoints. 2023. https://arxiv.org/abs/2305.13245
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        attend: Attend | None = None,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        join: Join = concat,
        project: bool = True,
        positions: Rotation | None = None,
        bias: bool = True,
        kv_dim: int | None = None,
    ) -> None:
        super().__init__()
        kv_heads = num_heads if kv_heads is None else kv_heads
        head_dim = _head_dim(embed_dim, num_heads, kv_heads, head_dim)
        self.embed_dim, self.kv_dim = embed_dim, embed_dim if kv_dim is None else kv_dim
        self.attend = Attend() if attend is None else attend
        self.join, self.positions = join, positions
        self.input: Fused | Separate | Unprojected
        self.output: nn.Linear | nn.Identity
        if not project:
            _check_unprojected(self.kv_dim, embed_dim, kv_heads, num_heads, head_dim)
            self.input, self.output = Unprojected(num_heads), nn.Identity()
            return
        if kv_dim is None:
            self.input = Fused(embed_dim, num_heads, kv_heads, head_dim, bias)
        else:
            self.input = Separate(embed_dim, kv_dim, num_heads, kv_heads, head_dim, bias)
        joined_dim = join(torch.empty(1, num_heads, 1, head_dim, device="meta")).shape[-1]
        self.output = nn.Linear(joined_dim, embed_dim, bias)
        nn.init.xavier_uniform_(self.output.weight)
        if bias:
            nn.init.zeros_(self.output.bias)

    def forward(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len kv_dim"] | None = None,
        value: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Growing | Constant | None = None,
    ) -> Float[Tensor, "batch q_len output_dim"]:
        """Attend to `key` and `value` (the query itself, and the key, where they are None).

        A `Growing` cache first takes in the new keys and values, and all it holds are attended to;
        a `Constant` one stands in for them.
        """
        q, k, v = self._heads(query, key, value, cache)
        return self.output(self.join(self.attend(q, k, v, mask)))

    def weights(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Growing | Constant | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows all_keys"]:
        """The exact weights of the same call, of all heads and queries or some; no cache grows."""
        cache = cache.copy() if isinstance(cache, Growing) else cache
        q, k, _ = self._heads(query, key, None, cache)
        return self.attend.weights(q, k, mask, rows, heads)

    def remember(
        self,
        key: Float[Tensor, "batch k_len kv_dim"],
        value: Float[Tensor, "batch k_len kv_dim"] | None = None,
    ) -> Constant:
        """Keys and values projected once, for many calls."""
        _check_width("key", key, self.kv_dim)
        k, v = self.input.key_value(key, key if value is None else value)
        return Constant(k if self.positions is None else self.positions(k, offset=0), v)

    def _heads(
        self, query: Tensor, key: Tensor | None, value: Tensor | None, cache: object
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values as the operator takes them."""
        _check_width("query", query, self.embed_dim)
        if isinstance(cache, Constant):
            q = self.input.query(query)
            q = q if self.positions is None else self.positions(q, offset=0)
            return q, cache.key, cache.value
        key = query if key is None else key
        _check_width("key", key, self.kv_dim)
        q, k, v = self.input(query, key, key if value is None else value)
        past = cache.length if isinstance(cache, Growing) else 0
        if self.positions is not None:
            q, k = self.positions(q, offset=past), self.positions(k, offset=past)
        if isinstance(cache, Growing):
            k, v = cache.append(k, v)
        return q, k, v


def _head_dim(embed_dim: int, num_heads: int, kv_heads: int, head_dim: int | None) -> int:
    if embed_dim < 1 or num_heads < 1 or kv_heads < 1:
        raise ValueError(
            f"embed_dim, num_heads and kv_heads must be positive, got {embed_dim}, {num_heads} "
            f"and {kv_heads}"
        )
    if num_heads % kv_heads:
        raise ValueError(
            f"num_heads {num_heads} is no multiple of kv_heads {kv_heads}: each key/value head "
            "serves the same number of query heads"
        )
    if head_dim is None and embed_dim % num_heads:
        raise ValueError(
            f"embed_dim {embed_dim} is not divisible by num_heads {num_heads}: choose another "
            "number of heads or give head_dim"
        )
    if head_dim is not None and head_dim < 1:
        raise ValueError(f"head_dim must be positive, got {head_dim}")
    return embed_dim // num_heads if head_dim is None else head_dim


def _check_unprojected(
    kv_dim: int, embed_dim: int, kv_heads: int, num_heads: int, head_dim: int
) -> None:
    if kv_heads != num_heads or num_heads * head_dim != embed_dim or kv_dim != embed_dim:
        raise ValueError(
            f"without projections {num_heads} query heads and {kv_heads} key/value heads of width "
            f"{head_dim} must be cut from inputs of width {embed_dim} and {kv_dim}: leave out "
            "kv_heads, head_dim and kv_dim, or use project=True"
        )


def _check_width(name: str, x: Tensor, width: int) -> None:
    if x.ndim != 3 or x.shape[-1] != width:
        raise ValueError(
            f"{name} must have shape [batch, length, {width}], got {list(x.shape)}: the layer was "
            f"built for vectors of width {width}"
        )
