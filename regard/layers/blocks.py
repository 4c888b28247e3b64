"""The layers of a Transformer: attention and feed-forward, each in a residual connection."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard._typing import MaskMod
from regard.layers.cache import BY_SOURCE, KVCache, Past, StaticKVCache
from regard.layers.cross_attention import CrossAttention
from regard.layers.residual import PostNorm, PreNorm
from regard.layers.self_attention import SelfAttention

Residual = Callable[[], PostNorm | PreNorm]
"""Makes a residual connection; a block has one around each of its sublayers."""


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward; with a causal mask, the layer of a language model.

    Example:
        >>> import torch
        >>> from regard.layers import FeedForward
        >>> block = EncoderBlock(SelfAttention(8, 2), FeedForward(8, 32),
        ...                      lambda: PostNorm(nn.LayerNorm(8)))
        >>> block(torch.randn(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self, attention: SelfAttention, feed_forward: nn.Module, residual: Residual
    ) -> None:
        super().__init__()
        self.attention, self.feed_forward = attention, feed_forward
        self.attention_residual, self.feed_forward_residual = residual(), residual()

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | None = None,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        x = self.attention_residual(x, lambda x: self.attention(x, mask, cache))
        return self.feed_forward_residual(x, self.feed_forward)

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads q_len q_len"]:
        """The exact self-attention weights of the same call."""
        return self.attention.weights(self.attention_residual.entering(x), mask)


@dataclass(frozen=True, eq=False)
class DecoderCache:
    """A decoder block's cache: its own past, and the memory's keys and values."""

    past: Past
    memory: StaticKVCache = field(metadata=BY_SOURCE)

    @property
    def length(self) -> int:
        """The number of cached positions of its own past."""
        return self.past.length

    def copy(self) -> "DecoderCache":
        """A cache that starts with the same past."""
        return DecoderCache(self.past.copy(), self.memory)

    def reorder(self, rows: Int[Tensor, " rows"]) -> "DecoderCache":
        """The past of these rows; the memory is per source sentence and unchanged."""
        return DecoderCache(self.past.reorder(rows), self.memory)


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to a memory, then feed-forward.

    Example:
        >>> import torch
        >>> from regard.layers import CrossAttention, FeedForward
        >>> block = DecoderBlock(SelfAttention(8, 2), CrossAttention(8, 2), FeedForward(8, 32),
        ...                      lambda: PreNorm(nn.LayerNorm(8)))
        >>> block(torch.randn(2, 5, 8), torch.randn(2, 7, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        attention: SelfAttention,
        cross_attention: CrossAttention,
        feed_forward: nn.Module,
        residual: Residual,
    ) -> None:
        super().__init__()
        self.attention, self.cross_attention = attention, cross_attention
        self.feed_forward = feed_forward
        self.attention_residual, self.cross_residual = residual(), residual()
        self.feed_forward_residual = residual()

    def forward(
        self,
        x: Float[Tensor, "rows q_len embed_dim"],
        memory: Float[Tensor, "batch k_len embed_dim"] | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        memory_mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "rows q_len embed_dim"]:
        """Without a cache `memory` is required, with one it is ignored."""
        past, known = (None, None) if cache is None else (cache.past, cache.memory)
        x = self.attention_residual(x, lambda x: self.attention(x, mask, past))
        x = self.cross_residual(x, lambda x: self.cross_attention(x, memory, memory_mask, known))
        return self.feed_forward_residual(x, self.feed_forward)

    def precompute_kv(self, memory: Float[Tensor, "batch k_len embed_dim"]) -> DecoderCache:
        """The cache to start with."""
        return DecoderCache(KVCache(), self.cross_attention.precompute_kv(memory))

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        memory: Float[Tensor, "batch k_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        memory_mask: MaskMod | Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        """The exact cross-attention weights of the same call."""
        x = self.attention_residual(x, lambda x: self.attention(x, mask))
        return self.cross_attention.weights(self.cross_residual.entering(x), memory, memory_mask)
