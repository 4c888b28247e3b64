"""What a block is: attention on feature maps, `f(g(x), x)`, with its `g(x)` to be seen."""

from typing import Protocol, runtime_checkable

from torch import Tensor

Weights = Tensor | dict[str, Tensor]
"""The attention of a block; of one with several kinds, each by its name."""


@runtime_checkable
class Block(Protocol):
    """A module from feature maps `[batch, channels, *places]` to maps of the same shape.

    `weights` is what the block attends to for an input, `forward` applies it. Nothing of one image
    enters what is said of another, outside the statistics of a batch norm that is training.
    """

    channels: int
    """Of the maps that it reads and returns."""

    @property
    def starts_as_identity(self) -> bool:
        """Whether a new block returns its input to the bit, so that it can go into any network."""

    def weights(self, x: Tensor) -> Weights:
        """The attention for an input: 0 to 1 for each channel or place, or places over places."""

    def __call__(self, x: Tensor) -> Tensor:
        """The input with its attention applied."""
