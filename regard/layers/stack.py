"""Layers one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Stack(nn.Module):
    """Blocks in order; what is given beside x goes to each of them, and each has its own cache.

    The same block twice shares its weights. With `recompute` set, training keeps only what passes
    between blocks and computes the rest again in the backward pass, with the same random numbers.

    Example:
        >>> import torch
        >>> block = nn.Linear(4, 4)
        >>> stack = Stack([block, block])
        >>> sum(weight.numel() for weight in stack.parameters())
        20
        >>> stack(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    References:
        Chen, Xu, Zhang & Guestrin. Training Deep Nets with Sublinear Memory Cost. 2016.
        https://arxiv.org/abs/1604.06174
        Lan et al. ALBERT: A Lite BERT for Self-supervised Learning of Language Representations.
        2020. https://arxiv.org/abs/1909.11942
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.recompute = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        *given: Any,
        caches: Sequence[Any] | None = None,
        **named: Any,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """Raises `ValueError` unless there is one cache a block, or none at all."""
        if caches is None:
            for block in self.blocks:
                if self.recompute and self.training:
                    x = checkpoint(block, x, *given, use_reentrant=False, **named)
                else:
                    x = block(x, *given, **named)
            return x
        if len(caches) != len(self.blocks):
            raise ValueError(f"{len(self.blocks)} blocks need as many caches, got {len(caches)}")
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, *given, cache=cache, **named)
        return x
