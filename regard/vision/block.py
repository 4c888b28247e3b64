"""The protocol of blocks: attention on feature maps, `f(g(x), x)`, with access to `g(x)`."""

from typing import Protocol, runtime_checkable

from torch import Tensor

Weights = Tensor | dict[str, Tensor]
"""The attention of a block; several kinds by name."""


@runtime_checkable
class Block(Protocol):
    """A module from feature maps `[batch, channels, *places]` to maps of the same shape.

    `weights` is the attention for an input, `forward` applies it. Images of a batch do not affect
    each other, except through batch norm statistics in training.
    """

    channels: int
    """Channels of its input and output."""

    @property
    def starts_as_identity(self) -> bool:
        """Whether a new block returns its input bit for bit, so that any network can take it."""

    def weights(self, x: Tensor) -> Weights:
        """The attention for an input: gates of channels or places, or weights over places."""

    def __call__(self, x: Tensor) -> Tensor:
        """The input with its attention applied."""
