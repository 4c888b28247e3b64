"""Layers applied in sequence."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from regard._numbers import count


class Stack(nn.Module):
    """Blocks in sequence; other arguments go to each of them, and each has its own cache.

    A block used several times (`Stack.shared`) has one set of weights and, in decoding, one cache
    per use, as in ALBERT. With `recompute` set, training saves only the activations between blocks
    and recomputes the rest in the backward pass, with the same random numbers.

    Example:
        >>> import torch
        >>> stack = Stack.shared(nn.Linear(4, 4), 2)
        >>> len(stack), sum(weight.numel() for weight in stack.parameters())
        (2, 20)
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

    @classmethod
    def shared(cls, block: nn.Module, times: int) -> "Stack":
        """One block, used `times` times: one set of weights, with gradients summed over its uses.

        Raises `ValueError` unless `times` is at least 1.
        """
        times = count("Stack", "times", times, least=1, hint="a block is used at least once")
        return cls([block] * times)

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
        """Raises `ValueError` unless there is one cache per block, or none at all."""
        if caches is None:
            for block in self.blocks:
                x = self.through(block, x, *given, **named)
            return x
        if len(caches) != len(self.blocks):
            raise ValueError(f"{len(self.blocks)} blocks need as many caches, got {len(caches)}")
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, *given, cache=cache, **named)
        return x

    def states(
        self, x: Float[Tensor, "batch q_len embed_dim"], *given: Any, **named: Any
    ) -> list[Tensor]:
        """The output of each block in the same call, the last of which `forward` returns."""
        found: list[Tensor] = []
        for block in self.blocks:
            x = self.through(block, x, *given, **named)
            found.append(x)
        return found

    def through(
        self,
        block: nn.Module,
        x: Float[Tensor, "batch q_len embed_dim"],
        *given: Any,
        **named: Any,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """One block of the stack, without a cache."""
        if self.recompute and self.training:
            return checkpoint(block, x, *given, use_reentrant=False, **named)
        return block(x, *given, **named)

    def weights(
        self, x: Float[Tensor, "batch q_len embed_dim"], *given: Any, **named: Any
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The `weights` of each block in the same call, stacked."""
        found: list[Tensor] = []
        for block in self:
            found.append(block.weights(x, *given, **named))
            x = block(x, *given, **named)
        return torch.stack(found)
