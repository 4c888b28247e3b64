"""Every block of `regard.vision.BLOCKS`, small: a row for each of its variants."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from regard.vision import block
from regard.vision.block import Weights

PLACES = {
    1: [(9,), (1,), (8,)],
    2: [(7, 5), (1, 1), (8, 8), (1, 6)],
    3: [(3, 5, 4), (1, 1, 1), (2, 3, 2)],
}
"""Sizes of maps: odd, a single place, even, and one of a single row."""


@dataclass(frozen=True)
class Example:
    """A block as it is spelled, and what is true of it beyond what is true of all."""

    spelled: str
    channels: int = 8
    dims: tuple[int, ...] = (2,)
    """Kinds of places that maps for it may have."""
    batch_norm: Literal["places", "pooled"] | None = None
    """Over what: in training it takes statistics of the batch, of which it needs two values."""
    sums_over: int | None = None
    """The dimension over which weights sum to one."""
    multiple_of: int = 1
    """What the number of channels must be divisible by."""

    def make(self, channels: int | None = None) -> Any:
        """A new block."""
        return block(self.spelled, channels or self.channels)

    def maps(self, places: tuple[int, ...] | None = None, batch: int = 3) -> Tensor:
        """Maps for it, the first of the sizes of its first kind if none are named."""
        return torch.randn(batch, self.channels, *(places or PLACES[self.dims[0]][0]))

    def sizes(self) -> list[tuple[int, ...]]:
        """All sizes of maps it is asked about."""
        return [places for dims in self.dims for places in PLACES[dims]]


ANY = (1, 2, 3)
EXAMPLES = [
    Example("se(reduction=2)", dims=ANY),
]

every = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.spelled)


def tensors(weights: Weights) -> dict[str, Tensor]:
    """The weights of a block, each by its name, which is empty where there is one kind."""
    return weights if isinstance(weights, dict) else {"": weights}


def after_a_step(made: Any, x: Tensor) -> Any:
    """The block with every weight moved a little, so that none starts at zero any more."""
    made.requires_grad_(True).train()
    for _ in range(2):
        made.zero_grad()
        (made(x) * torch.randn_like(x)).sum().backward()
        with torch.no_grad():
            for weight in made.parameters():
                weight.sub_(0.1 * torch.nn.functional.normalize(weight.grad, dim=None, p=2.0))
    return made.eval().requires_grad_(True)
