"""Cross-attention: tokens of one sequence look at another."""

from typing import Any

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.cache import Constant
from regard.layers.multi_head import MultiHeadAttention


class CrossAttention(nn.Module):
    """`MultiHeadAttention` with queries from `x`, keys and values from `memory`; the same options.

    `x` may hold several rows for each row of the memory, one after the other, as the beams of a
    sentence do: they become queries of the same keys, and nothing is copied. Masks and score mods
    that speak of query positions are not for that case.

    Raises `ValueError` when the rows of `x` are no multiple of those of the memory, or neither
    memory nor cache is given.

    Example:
        >>> import torch
        >>> layer, memory = CrossAttention(16, 4), torch.randn(2, 7, 16)
        >>> x = torch.randn(6, 1, 16)
        >>> torch.allclose(layer(x, memory), layer(x, cache=layer.remember(memory)))
        True

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self, embed_dim: int, num_heads: int, attend: Attend | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.heads = MultiHeadAttention(
            embed_dim, num_heads, attend, **{"kv_dim": embed_dim, **options}
        )

    def forward(
        self,
        x: Float[Tensor, "rows q_len embed_dim"],
        memory: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Constant | None = None,
    ) -> Float[Tensor, "rows q_len output_dim"]:
        """Look at `memory`, or at the memory in `cache`, which is then all that is needed."""
        batch = _batch(memory, cache)
        if len(x) == batch:
            return self.heads(x, memory, mask=mask, cache=cache)
        looked = self.heads(_as_queries(x, batch), memory, mask=mask, cache=cache)
        back = "batch (beams q_len) width -> (batch beams) q_len width"
        return rearrange(looked, back, q_len=x.shape[1])

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        memory: Float[Tensor, "batch k_len kv_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Constant | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows some_keys"]:
        """The exact weights of the same call, with as many rows as the memory has."""
        _batch(memory, cache)
        return self.heads.weights(x, memory, mask, cache, rows, heads)

    def remember(self, memory: Float[Tensor, "batch k_len kv_dim"]) -> Constant:
        """The memory's keys and values, projected once for many calls."""
        return self.heads.remember(memory)


def _batch(memory: Tensor | None, cache: Constant | None) -> int:
    if cache is not None:
        return len(cache.key)
    if memory is None:
        raise ValueError("there is nothing to look at: give memory, or cache=remember(memory)")
    return len(memory)


def _as_queries(x: Tensor, batch: int) -> Tensor:
    if batch == 0 or len(x) % batch:
        raise ValueError(
            f"x has {len(x)} rows, no multiple of the {batch} rows of the memory: give each row of "
            "the memory the same number of beams"
        )
    return rearrange(x, "(batch beams) q_len width -> batch (beams q_len) width", batch=batch)
