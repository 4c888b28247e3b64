"""Cross-attention: tokens of one sequence attend to another."""

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._pairwise import Count
from regard._torch_private import is_jit_traced
from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.cache import StaticKVCache
from regard.layers.heads import Heads
from regard.layers.join import concat_heads
from regard.layers.multi_head import Join, MultiHeadAttention, Rotation


class CrossAttention(nn.Module):
    """`MultiHeadAttention` with queries from `x`, keys and values from `memory`; same arguments.

    `kv_dim` is the width of the memory, `embed_dim` if None. With `value_dim` the values come from
    a separate input, `value`, with one token per position of the memory.

    `x` may hold several consecutive rows for each row of the memory, such as the beams of a
    sentence: they become queries of the same keys, and nothing is copied. Masks and score mods
    that depend on query positions cannot be used in that case.

    Raises `ValueError` when the number of rows of `x` is not a multiple of the memory's, or neither
    memory nor cache is given.

    Example:
        >>> import torch
        >>> layer, memory = CrossAttention(16, 4), torch.randn(2, 7, 16)
        >>> x = torch.randn(6, 1, 16)
        >>> torch.allclose(layer(x, memory), layer(x, cache=layer.precompute_kv(memory)))
        True

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
        self.heads = MultiHeadAttention(
            embed_dim,
            heads,
            attend,
            positions=positions,
            join=join,
            bias=bias,
            kv_dim=embed_dim if kv_dim is None else kv_dim,
            value_dim=value_dim,
        )

    def forward(
        self,
        x: Float[Tensor, "rows q_len embed_dim"],
        memory: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: StaticKVCache | None = None,
        *,
        value: Float[Tensor, "batch k_len value_dim"] | None = None,
    ) -> Float[Tensor, "rows q_len output_dim"]:
        """Attend to `memory`, or to the memory in `cache`, in which case `memory` is not needed."""
        batch = _batch(memory, cache)
        # Under jit.trace a length is a tensor, and asking it would end in the graph.
        if is_jit_traced() or x.shape[0] == batch:
            return self.heads(x, memory, value, mask, cache)
        looked = self.heads(_as_queries(x, batch), memory, value, mask, cache)
        back = "batch (beams q_len) width -> (batch beams) q_len width"
        return rearrange(looked, back, q_len=x.shape[1])

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        memory: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: StaticKVCache | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows some_keys"]:
        """The exact weights of the same call, with the batch size of the memory."""
        _batch(memory, cache)
        return self.heads.weights(x, memory, mask, cache, rows, heads)

    def precompute_kv(
        self,
        memory: Float[Tensor, "batch k_len kv_dim"],
        value: Float[Tensor, "batch k_len value_dim"] | None = None,
    ) -> StaticKVCache:
        """The memory's keys and values, projected once for many calls."""
        return self.heads.precompute_kv(memory, value)


def _batch(memory: Tensor | None, cache: StaticKVCache | None) -> int:
    if cache is not None:
        return cache.key.shape[0]
    if memory is None:
        raise ValueError("there is nothing to look at: give memory, or cache=precompute_kv(memory)")
    return memory.shape[0]


def _as_queries(x: Tensor, batch: int) -> Tensor:
    if batch == 0 or x.shape[0] % batch:
        raise ValueError(
            f"x has {x.shape[0]} rows, no multiple of the {batch} rows of the memory: give each "
            "row of the memory the same number of beams"
        )
    return rearrange(x, "(batch beams) q_len width -> batch (beams q_len) width", batch=batch)
