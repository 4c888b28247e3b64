"""The Universal Transformer: one block applied repeatedly, with an embedding of the step."""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._numbers import count
from regard.layers.stack import Stack
from regard.positions import Sinusoidal


def universal(block: nn.Module, steps: int) -> Stack:
    """A block shared over all steps, with position and step embeddings added before each.

        x_t = block(x_{t-1} + P_t)      P_t[i] = sinusoid(i) + sinusoid(t)      i, t from 1

    The input needs no other positions. Every step has its own cache. Wrapped in `Halting`, each
    position decides how many steps it takes.

    Args:
        block: such as `EncoderBlock` or `DecoderBlock`; the paper's normalize last (`PostNorm`).

    Raises `ValueError` unless `steps` is at least 1.

    >>> import torch
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
    return Stack(UniversalStep(block, number, coordinates) for number in range(1, steps + 1))


class Coordinates(nn.Module):
    """Add position and step: `x_i + sinusoid(i) + sinusoid(step)`, positions counted from 1.

    >>> import torch
    >>> Coordinates()(torch.zeros(1, 1, 4), step=1)
    tensor([[[1.6829, 1.0806, 0.0200, 1.9999]]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.waves = Sinusoidal()

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        step: int,
        offset: int = 0,
        positions: Int[Tensor, "batch q_len"] | None = None,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """`offset` is the number of positions before the first of `x`.

        Args:
            positions: counted from 0, all below `offset + q_len`; given if they are not
                consecutive in the rows (`Packed`, or a left-padded batch).
        """
        if positions is None:
            where = self.waves(x, offset=offset + 1)
        else:
            wide = x.new_empty(0, offset + x.shape[1], x.shape[2])
            where = self.waves(wide, offset=1)[positions]
        return x + (where + self.waves(x[:, :1], offset=step))


class UniversalStep(nn.Module):
    """A block at one step of its repetition, with the interface of the block."""

    def __init__(self, block: nn.Module, number: int, coordinates: Coordinates) -> None:
        super().__init__()
        self.block: Any = block
        self.number, self.coordinates = number, coordinates

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        *given: Any,
        cache: Any = None,
        positions: Int[Tensor, "batch q_len"] | None = None,
        **named: Any,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        if cache is None:
            x = self.coordinates(x, self.number, positions=positions)
            return self.block(x, *given, **named)
        x = self.coordinates(x, self.number, cache.length, positions)
        return self.block(x, *given, cache=cache, **named)

    def precompute_kv(self, memory: Float[Tensor, "batch k_len embed_dim"]) -> Any:
        """The cache that a decoder block starts with."""
        return self.block.precompute_kv(memory)

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        *given: Any,
        positions: Int[Tensor, "batch q_len"] | None = None,
        **named: Any,
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        """The exact weights of the same call."""
        x = self.coordinates(x, self.number, positions=positions)
        return self.block.weights(x, *given, **named)

    def extra_repr(self) -> str:
        return f"number={self.number}"
