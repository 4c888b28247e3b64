"""Multi-head attention: the operator between learned projections."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._numbers import count
from regard._pairwise import Count
from regard._torch_private import is_jit_traced
from regard._typing import MaskMod
from regard.layers import torch_layer
from regard.layers.attend import Attend, both
from regard.layers.cache import Past, StaticKVCache
from regard.layers.heads import Heads
from regard.layers.join import concat_heads
from regard.layers.part_module import own
from regard.layers.projection import Apart, Fused, Projection, Separate
from regard.layers.through import through
from regard.masks import Padding

Join = Callable[[Tensor], Tensor]


@runtime_checkable
class Rotation(Protocol):
    """Rotates queries and keys by their position, as `regard.positions.RoPE` does."""

    def __call__(self, x: Tensor, *, offset: int) -> Tensor: ...


class MultiHeadAttention(nn.Module):
    """Project to heads, attend in each, join them, project the result.

        head_i = attend(query W_i^Q, key W_i^K, value W_i^V)
        output = join(head_1 ... head_h) W^O

    Weights are initialized as in torch and fairseq (Xavier, zero biases). Every projection is an
    `nn.Linear` called as a module: `input`, or those inside `input`, and `output`.

    Args:
        heads: the number of heads, or `Heads` for grouped heads or an explicit head width.
        attend: score, normalizer, masks and so on; scaled dot product and softmax if None.
        positions: rotates queries and keys before scoring, such as `RoPE()`.
        join: `concat_heads` or `mean_heads`.
        bias: whether the projections have biases.
        kv_dim: width of key and value if they are a different input than the query.
        value_dim: width of the value if it is a different input than the key; each then has a
            projection of its own.

    Raises:
        ValueError: widths or numbers of heads do not fit together, or a call's tensors do not fit
            them or one another.

    Example:
        >>> layer = MultiHeadAttention(16, Heads(4, kv_heads=2))
        >>> x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
        >>> layer(x).shape, layer(x, memory).shape, layer.weights(x, memory).shape
        (torch.Size([2, 5, 16]), torch.Size([2, 5, 16]), torch.Size([2, 4, 5, 7]))

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        embed_dim: Count,
        heads: Count | Heads,
        attend: Attend | None = None,
        *,
        positions: Rotation | None = None,
        join: Join = concat_heads,
        bias: bool = True,
        kv_dim: Count | None = None,
        value_dim: Count | None = None,
    ) -> None:
        super().__init__()
        heads = heads if isinstance(heads, Heads) else Heads(heads)
        self.embed_dim = _width("embed_dim", embed_dim)
        self.kv_dim = self.embed_dim if kv_dim is None else _width("kv_dim", kv_dim)
        self.value_dim = self.kv_dim if value_dim is None else _width("value_dim", value_dim)
        sizes = self.num_heads, _, head_dim = heads.sizes(self.embed_dim)
        self.attend = Attend() if attend is None else attend
        self.join: Any = own(join)
        self.positions: Any = own(positions)
        self.projection: Projection
        if value_dim is not None:
            self.projection = Apart(self.embed_dim, self.kv_dim, self.value_dim, *sizes)
        elif kv_dim is not None:
            self.projection = Separate(self.embed_dim, self.kv_dim, *sizes)
        else:
            self.projection = Fused(self.embed_dim, *sizes)
        self.input: Any = self.projection.layers(bias)
        self.output: Any = self._output(head_dim, bias)

    def _output(self, head_dim: int, bias: bool) -> nn.Linear:
        joined = self.join(torch.empty(1, self.num_heads, 1, head_dim, device="meta"))
        output = nn.Linear(joined.shape[-1], self.embed_dim, bias)
        nn.init.xavier_uniform_(output.weight)
        if bias:
            nn.init.zeros_(output.bias)
        return output

    @classmethod
    def from_torch(cls, module: nn.MultiheadAttention) -> "MultiHeadAttention":
        """A layer with the weights of torch's and the same outputs.

        Ours is always batch-first, and True in its masks means may attend. Where torch appends a
        zero key (`add_zero_attn`) the normalizer is `softmax_one`, which is equivalent.

        Raises:
            TypeError: `layer` is a different module.
            ValueError: torch's layer was built with `add_bias_kv`.

        >>> theirs, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(1, 3, 8)
        >>> torch.allclose(MultiHeadAttention.from_torch(theirs)(x), theirs(x, x, x)[0], atol=1e-6)
        True
        """
        options, attend, weights = torch_layer.read_torch(module)
        layer: MultiHeadAttention
        with torch.device("meta"):
            layer = cls(module.embed_dim, module.num_heads, attend, **options)
        layer.load_state_dict(weights, assign=True)
        return layer.train(module.training)

    def to_torch(self, batch_first: bool = True) -> nn.MultiheadAttention:
        """Torch's layer with the weights of this one.

        Raises:
            ValueError: this layer has something torch's cannot represent: grouped heads, an
                explicit head width, another join, positions, wrapped projections, or parts other
                than scaled dot product and `softmax` (or `softmax_one`).

        >>> MultiHeadAttention(8, 2, bias=False).to_torch().in_proj_weight.shape
        torch.Size([24, 8])
        """
        return torch_layer.write_torch(self, batch_first)

    def forward(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len kv_dim"] | None = None,
        value: Float[Tensor, "batch k_len value_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | StaticKVCache | None = None,
    ) -> Float[Tensor, "batch q_len output_dim"]:
        """Attend to `key` and `value` (by default the query and the key).

        A cache of the past (such as `KVCache`) first appends the new keys and values, and all it
        holds are attended to; a `StaticKVCache` replaces them.
        """
        if not isinstance(cache, StaticKVCache):
            key = query if key is None else key
            value = self._value(key, value)
        q, k, v = self._heads(query, key, value, cache)
        if not isinstance(cache, Past):
            return through(self.output, self.join(self.attend(q, k, v, mask)))
        mask, first = _seen(cache, mask, k)
        k, v = cache.append(k, v)
        return through(self.output, self.join(self.attend(q, k, v, mask, q_offset=first)))

    def weights(
        self,
        query: Float[Tensor, "batch q_len embed_dim"],
        key: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | StaticKVCache | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows all_keys"]:
        """The exact weights of the same call, of all heads and queries or some, without caching."""
        q, k, _ = self._heads(query, query if key is None else key, None, cache)
        if not isinstance(cache, Past):
            return self.attend.weights(q, k, mask, rows, heads)
        mask, first = _seen(cache, mask, k)
        return self.attend.weights(q, cache.keys(k), mask, rows, heads, q_offset=first)

    def precompute_kv(
        self,
        key: Float[Tensor, "batch k_len kv_dim"],
        value: Float[Tensor, "batch k_len value_dim"] | None = None,
    ) -> StaticKVCache:
        """Keys and values projected once, for many calls."""
        _check_width("key", key, self.kv_dim)
        k, v = self.projection.key_value(self.input, key, self._value(key, value))
        return StaticKVCache(self._turned(k, 0), v)

    def _heads(self, query: Tensor, key: Any, value: Tensor | None, cache: object) -> Any:
        """Queries, keys and values as the operator takes them."""
        _check_width("query", query, self.embed_dim)
        if isinstance(cache, StaticKVCache):
            q = self._turned(self.projection.query(self.input, query), 0)
            return q, cache.key, cache.value
        _check_width("key", key, self.kv_dim)
        q, k, v = self.projection(self.input, query, key, value)
        past = cache.length if isinstance(cache, Past) else 0
        return self._turned(q, past), self._turned(k, past), v

    def _turned(self, heads: Tensor, offset: int) -> Tensor:
        return heads if self.positions is None else self.positions(heads, offset=offset)

    def _value(self, key: Tensor, value: Tensor | None) -> Tensor:
        """The value, or the key where none is given."""
        if value is None and self.value_dim == self.kv_dim:
            return key
        if value is None:
            raise ValueError(
                f"value must be given: the layer was built for values of width {self.value_dim} "
                f"and keys of width {self.kv_dim}"
            )
        _check_width("value", value, self.value_dim)
        if not is_jit_traced() and key.shape[:2] != value.shape[:2]:
            raise ValueError(
                f"key and value must have the same batch and length, got {list(key.shape[:2])} and "
                f"{list(value.shape[:2])}: every key needs one value"
            )
        return value


def _seen(cache: Past, mask: Any, key: Tensor) -> tuple[Any, int | None]:
    """The mask with what the cache hides, and where the first query stands among its keys."""
    real = cache.real(key)
    return mask if real is None else both(mask, Padding(keep=real)), cache.first_query


def _width(name: str, value: Count) -> int:
    return count("MultiHeadAttention", name, value, least=1, hint="it is a width")


def _check_width(name: str, x: Tensor, width: int) -> None:
    # Under jit.trace a length is a tensor, and asking it would end in the graph.
    if x.ndim != 3 or (not is_jit_traced() and x.shape[-1] != width):
        raise ValueError(
            f"{name} must have shape [batch, length, {width}], got {list(x.shape)}: the layer was "
            f"built for vectors of width {width}"
        )
