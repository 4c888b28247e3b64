"""Self-attention: every token attends to its own sequence."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._backends._weights import Chosen
from regard._pairwise import Count
from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.cache import Past
from regard.layers.heads import Heads
from regard.layers.join import concat_heads
from regard.layers.multi_head import Join, MultiHeadAttention, Rotation


class SelfAttention(nn.Module):
    """`MultiHeadAttention` of one input; same arguments, without `kv_dim` and `value_dim`.

    With a cache, `x` continues what the cache holds: absolute positions continue from there, and
    the new keys and values are appended.

    Example:
        >>> import torch
        >>> from regard.layers import KVCache
        >>> from regard.masks import Causal
        >>> layer, cache = SelfAttention(16, 4, Attend(mask=Causal())), KVCache()
        >>> x = torch.randn(1, 5, 16)
        >>> parts = torch.cat([layer(x[:, :3], cache=cache), layer(x[:, 3:], cache=cache)], dim=1)
        >>> torch.allclose(parts, layer(x), atol=1e-6)
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
    ) -> None:
        super().__init__()
        self.heads = MultiHeadAttention(
            embed_dim, heads, attend, positions=positions, join=join, bias=bias
        )

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | None = None,
    ) -> Float[Tensor, "batch q_len output_dim"]:
        return self.heads(x, mask=mask, cache=cache)

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows k_len"]:
        """The exact weights of the same call; the cache is unchanged."""
        return self.heads.weights(x, None, mask, cache, rows, heads)
