"""A block limited to a sliding window."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard._typing import MaskMod
from regard.layers.attend import both
from regard.layers.cache import Past
from regard.masks import SlidingWindow


class Windowed(nn.Module):
    """A block whose attention reaches at most `window` tokens back, whatever its mask.

    Alternated with dense blocks, it is the banded layer of sparse Transformers.

    Example:
        >>> import torch
        >>> from regard.layers import EncoderBlock, FeedForward, PostNorm, SelfAttention
        >>> block = EncoderBlock(SelfAttention(8, 2), FeedForward(8, 32),
        ...                      lambda: PostNorm(nn.LayerNorm(8)))
        >>> Windowed(block, 1).weights(torch.randn(1, 3, 8))[0, 0].ne(0).int()
        tensor([[1, 0, 0],
                [1, 1, 0],
                [0, 1, 1]], dtype=torch.int32)

    References:
        Child, Gray, Radford & Sutskever. Generating Long Sequences with Sparse Transformers. 2019.
        https://arxiv.org/abs/1904.10509
    """

    def __init__(self, block: nn.Module, window: Count) -> None:
        super().__init__()
        self.block: Any = block
        self.mask = SlidingWindow(window)

    @property
    def window(self) -> int:
        """How many tokens before itself a token sees."""
        return int(self.mask.left)

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        cache: Past | None = None,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        return self.block(x, both(mask, self.mask), cache)

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads q_len q_len"]:
        """The exact self-attention weights of the same call."""
        return self.block.weights(x, both(mask, self.mask))

    def extra_repr(self) -> str:
        return f"window={self.window}"
