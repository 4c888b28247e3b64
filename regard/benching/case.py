"""What is timed: a mechanism at one size, what it is compared with, and the least it must do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Run = Callable[[], object]


class Work(NamedTuple):
    """The least that a pass has to do, whatever computes it."""

    flops: float
    bytes: float


class Errors(NamedTuple):
    """The largest error against float64, and how many times that of the definition it is."""

    largest: float
    of_naive: float


@dataclass(frozen=True)
class Rival:
    """Another way to compute the same, the bytes it holds, and the seconds it may take."""

    name: str
    run: Run
    needed: int = 0
    predicted: float | None = None


@dataclass(frozen=True)
class Pass:
    """One thing to time: a forward pass, or one together with its backward pass.

    Args:
        judge: compares what `run` gives with float64; None where two calls differ anyway.
        needed: bytes that it holds, as planned, and `predicted` the seconds that it takes.
    """

    backward: bool
    backend: str
    run: Run
    work: Work
    rival: Rival | None = None
    judge: Callable[[], Errors] | None = None
    needed: int = 0
    predicted: float | None = None

    @property
    def name(self) -> str:
        """What a table calls it."""
        return "forward + backward" if self.backward else "forward"


def gradients(output: Tensor, wanted: list[Tensor], upstream: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of all that is wanted; None for what the output does not depend on."""
    if not output.requires_grad:
        return (None,) * len(wanted)
    return torch.autograd.grad(output, wanted, upstream, allow_unused=True)
