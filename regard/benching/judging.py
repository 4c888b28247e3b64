"""Whether what is timed is right: some rows against float64, beside the naive error."""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from regard.benching.case import Errors

MOST_NUMBERS = 1 << 24
"""Of what the definition holds for the rows it is asked for, in float64."""
MOST_ROWS = 96
PLACES = 3

FORWARD, GRADIENT = 4.0, 8.0
"""How many times the error of the definition is still rounding."""


class Judged(NamedTuple):
    """The output of some rows, and the gradients of what they were computed from."""

    output: Tensor
    gradients: tuple[Tensor | None, ...]


@runtime_checkable
class Case(Protocol):
    """What can be asked for an output and its gradients, by itself or by the definition."""

    dtype: torch.dtype

    def rows(self, most_numbers: int, most_rows: int) -> list[slice]:
        """Which rows to look at, so that the definition holds no more than so many numbers."""

    def judged(self, rows: list[slice], dtype: torch.dtype | None, gradient: bool) -> Judged:
        """The output of these rows, and the gradients of what reaches them.

        Without a dtype the mechanism itself is asked, for all rows; else the definition.
        """


def errors(case: Case, gradient: bool) -> Errors:
    """The worst of the rows that are looked at; of all their gradients, if asked for."""
    rows = case.rows(MOST_NUMBERS, MOST_ROWS)
    sides = (case.judged(rows, dtype, gradient) for dtype in (None, torch.float64, case.dtype))
    tensors = (side.gradients if gradient else (side.output,) for side in sides)
    found = [_error(*each) for each in zip(*tensors, strict=True)]
    return Errors(*map(max, zip(Errors(0.0, 0.0), *found, strict=True)))


def is_wrong(found: Errors, gradient: bool) -> bool:
    """Whether an error is more than rounding."""
    return found.of_naive > (GRADIENT if gradient else FORWARD)


def spread(length: int, count: int) -> list[slice]:
    """So many neighbouring rows in all: at the beginning, in the middle and at the end.

    >>> spread(100, 6), spread(4, 6)
    ([slice(0, 2, None), slice(49, 51, None), slice(98, 100, None)], [slice(0, 4, None)])
    """
    each = max(1, count // PLACES)
    if length <= PLACES * each:
        return [slice(0, length)]
    last = length - each
    return [slice(start, start + each) for start in (0, last // 2, last)]


def _error(actual: Tensor | None, golden: Tensor | None, naive: Tensor | None) -> Errors:
    """The largest error, and how many times that of naive, or of rounding once, it is."""
    if actual is None or golden is None or naive is None or golden.numel() == 0:
        return Errors(0.0, 0.0)
    ours = float((actual.double() - golden).abs().max())
    theirs = float((naive.double() - golden).abs().max())
    rounding = torch.finfo(naive.dtype).eps * float(golden.abs().max())
    if math.isnan(ours):
        return Errors(math.inf, math.inf)
    return Errors(ours, ours / max(theirs, rounding) if ours else 0.0)
