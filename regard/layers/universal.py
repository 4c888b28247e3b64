"""The Universal Transformer: one block, used again and again, that knows which time it is."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._numbers import count
from regard._torch_private import is_traced
from regard.layers.stack import Stack
from regard.positions import sinusoidal
from regard.positions._width import width_of


def universal(block: nn.Module, steps: int) -> Stack:
    """A block that shares its weights over all steps and is told position and step before each.

        x_t = block(x_{t-1} + P_t)      P_t[i] = sinusoid(i) + sinusoid(t)      i, t from 1

    The input needs no positions of its own. Every step has its own cache. With `Halting` around it
    each position decides how many steps it takes.

    Args:
        block: such as `EncoderBlock` or `DecoderBlock`; the paper's normalize last (`PostNorm`).

    Raises `ValueError` unless `steps` is at least 1.

    >>> from regard.layers import EncoderBlock, FeedForward, PostNorm, SelfAttention
    >>> block = EncoderBlock(SelfAttention(8, 2), FeedForward(8, 32),
    ...                      lambda: PostNorm(nn.LayerNorm(8)))
    >>> universal(block, 6)(torch.randn(2, 5, 8)).shape
    torch.Size([2, 5, 8])

    References:
        Dehghani, Gouws, Vinyals, Uszkoreit & Kaiser. Universal Transformers. 2019.
        https://arxiv.org/abs/1807.03819
    """
    steps = count("universal", "steps", steps, least=1, hint="a block is used at least once")
    coordinates = Coordinates()
    return Stack(Step(block, number, coordinates) for number in range(1, steps + 1))


class Coordinates(nn.Module):
    """Add where and when: `x_i + sinusoid(i) + sinusoid(step)`, positions counted from 1.

    >>> Coordinates()(torch.zeros(1, 1, 4), step=1)
    tensor([[[1.6829, 1.0806, 0.0200, 1.9999]]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.waves: Tensor | None = None

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"], step: int, offset: int = 0
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """`offset` is how many positions stand before the first of `x`."""
        last = offset + x.shape[1]
        if is_traced():
            # What a recording or a transform makes is not kept: it must not outlive it.
            waves = sinusoidal(x.shape[1], width_of(x), offset=offset + 1, device=x.device)
            now = sinusoidal(1, width_of(x), offset=step, device=x.device)
            return x + (waves + now).to(x.dtype)
        waves = self._waves(max(last, step) + 1, x)
        return x + (waves[offset + 1 : last + 1] + waves[step])

    def _waves(self, length: int, like: Tensor) -> Tensor:
        """The sinusoids of at least `length` positions, kept for the next call."""
        waves = self.waves
        kind = (like.dtype, like.device, like.shape[-1])
        if waves is None or len(waves) < length or _kind(waves) != kind:
            waves = sinusoidal(max(length, 256), like.shape[-1], device=like.device)
            self.waves = waves = waves.to(like.dtype)
        return waves


class Step(nn.Module):
    """A block at one step of its repetition; it answers as the block does."""

    def __init__(self, block: nn.Module, number: int, coordinates: Coordinates) -> None:
        super().__init__()
        self.block: Any = block
        self.number, self.coordinates = number, coordinates

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        *given: Any,
        cache: Any = None,
        **named: Any,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        if cache is None:
            return self.block(self.coordinates(x, self.number), *given, **named)
        x = self.coordinates(x, self.number, cache.length)
        return self.block(x, *given, cache=cache, **named)

    def remember(self, memory: Float[Tensor, "batch k_len embed_dim"]) -> Any:
        """The cache that a decoder block begins with."""
        return self.block.remember(memory)

    def weights(
        self, x: Float[Tensor, "batch q_len embed_dim"], *given: Any, **named: Any
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        """The exact weights of the same call."""
        return self.block.weights(self.coordinates(x, self.number), *given, **named)

    def extra_repr(self) -> str:
        return f"number={self.number}"


def _kind(waves: Tensor) -> tuple[torch.dtype, torch.device, int]:
    return waves.dtype, waves.device, waves.shape[-1]
