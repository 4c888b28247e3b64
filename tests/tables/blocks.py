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
    batch_norm: Literal["places", "pooled", "lines"] | None = None
    """Over what: in training it takes statistics of the batch, of which it needs two values.

    A single image has enough of places, none of what is pooled, and two lines even in one place.
    """
    sums_over: Literal["places", "splits", "keys"] | None = None
    """What the weights sum to one over: all places, or the second, or the last dimension."""
    signed: bool = False
    """Whether weights are scores, which may be negative or above one."""
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
    Example("bam(reduction=2)", batch_norm="pooled"),
    Example("bam(reduction=2, dilation=2, variant=paper)", batch_norm="pooled"),
    Example("bam(reduction=2, dims=3)", dims=(3,), batch_norm="pooled"),
    Example("cbam(reduction=2)", batch_norm="places"),
    Example("cbam(reduction=2, kernel_size=3, variant=paper, dims=1)", dims=(1,)),
    Example("cbam_channel(reduction=2)", dims=ANY),
    Example("cbam_spatial", batch_norm="places"),
    Example("cbam_spatial(variant=paper, dims=3)", dims=(3,)),
    Example("coordinate", batch_norm="lines"),
    Example("eca", dims=ANY),
    Example("eca(kernel_size=5)", dims=ANY),
    Example("ema(groups=2)", multiple_of=2),
    Example("ema(groups=1)"),
    Example("gc(reduction=2)", dims=ANY, sums_over="places"),
    Example("gc(fusion=scale)", dims=ANY, sums_over="places"),
    Example("gc(fusion=both)", dims=ANY, sums_over="places"),
    Example("gsop(dim=6)", dims=ANY, batch_norm="places"),
    Example("gsop_spatial(dim=6, size=3)", batch_norm="places"),
    Example("scse(reduction=2)", dims=ANY),
    Example("scse(variant=official)", dims=ANY),
    Example("asymmetric_non_local(dropout=0.0)", 16, ANY, batch_norm="places", sums_over="keys"),
    Example(
        "asymmetric_non_local(sizes=(1, 2), join=sum)",
        dims=ANY,
        batch_norm="places",
        sums_over="keys",
    ),
    Example("divided_space_time(num_heads=2)", dims=(3,), sums_over="keys", multiple_of=2),
    Example("dual(reduction=2)", dims=ANY, sums_over="keys"),
    Example("dual_channel", dims=ANY, sums_over="keys"),
    Example("dual_channel(variant=paper)", dims=ANY, sums_over="keys"),
    Example("dual_position(reduction=2)", dims=ANY, sums_over="keys"),
    Example("frame(num_heads=2)", dims=(3,), sums_over="keys", multiple_of=2),
    Example("joint_space_time(num_heads=4)", dims=(3,), sums_over="keys", multiple_of=4),
    Example("non_local", dims=ANY, batch_norm="places", sums_over="keys"),
    Example("non_local(norm=False, variant=paper)", dims=ANY, sums_over="keys"),
    Example("non_local(subsample=True, norm=False, variant=paper)", dims=ANY, sums_over="keys"),
    Example("non_local(pair=gaussian, subsample=True, norm=False)", dims=ANY, sums_over="keys"),
    Example("non_local(pair=dot, subsample=True, norm=False)", dims=ANY, signed=True),
    Example("non_local(pair=concatenation)", dims=ANY, batch_norm="places", signed=True),
    Example("se(reduction=2)", dims=ANY),
    Example("se(at_least=3)", dims=ANY),
    Example("simam", dims=ANY),
    Example("simam(ridge=0.1)", dims=ANY),
    Example("sk(groups=2)", batch_norm="pooled", sums_over="splits", multiple_of=2),
    Example("sk(branches=3, groups=1, dims=3)", dims=(3,), batch_norm="pooled", sums_over="splits"),
    Example("split", batch_norm="pooled", sums_over="splits", multiple_of=2),
    Example("split(radix=1, groups=2, dims=1)", dims=(1,), batch_norm="pooled", multiple_of=2),
    Example("split(groups=2, dims=3)", 8, (3,), "pooled", "splits", multiple_of=4),
    Example("temporal(num_heads=2)", dims=(3,), sums_over="keys", multiple_of=2),
]

every = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.spelled)


def tensors(weights: Weights) -> dict[str, Tensor]:
    """The weights of a block, each by its name, which is empty where there is one kind."""
    return weights if isinstance(weights, dict) else {"": weights}


def after_steps(made: Any, x: Tensor) -> Any:
    """The block, every weight moved a little: none is at zero any more, wherever it started."""
    made.requires_grad_(True).train()
    for step in (0.1, 0.07) if [*made.parameters()] else ():
        made.zero_grad()
        (made(x) * torch.randn_like(x)).sum().backward()
        with torch.no_grad():
            for weight in made.parameters():
                weight.sub_(step * torch.nn.functional.normalize(weight.grad, dim=None, p=2.0))
    return made.eval()
