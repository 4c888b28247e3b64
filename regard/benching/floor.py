"""What the machine can do at most: the floor under every time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from regard.benching.case import Work
from regard.benching.timing import clock_of, synchronize

SIDE = 1024
"""Of the matrices that are multiplied."""
BYTES = 1 << 27
"""Of what is copied: more than any cache holds."""
TIMES = 5


@dataclass(frozen=True)
class Limits:
    """FLOP/s of a large matrix product, and bytes/s read and written by a large copy."""

    flops: float
    bytes: float

    def floor(self, work: Work) -> float:
        """No computation of this work takes fewer seconds."""
        return max(work.flops / self.flops, work.bytes / self.bytes)


def measured(dtype: torch.dtype, device: str) -> Limits:
    """The limits here and now, for all threads together.

    Kernels multiply half precision in float32 where that is faster, so the faster one counts.
    """
    rates = []
    for each in dict.fromkeys((dtype, torch.promote_types(dtype, torch.float32))):
        a = torch.randn(SIDE, SIDE, device=device).to(each)
        out = torch.empty_like(a)
        rates.append(2 * SIDE**3 / _least(partial(torch.mm, a, a, out=out), device))
    source = torch.ones(BYTES // 4, device=device)
    target = torch.ones_like(source)
    return Limits(max(rates), 2 * BYTES / _least(lambda: target.copy_(source), device))


def _least(run: Callable[[], object], device: str) -> float:
    """The shortest of a few times."""
    run()
    now, times = clock_of(device), []
    for _ in range(TIMES):
        synchronize(device)
        start = now()
        run()
        synchronize(device)
        times.append(now() - start)
    return min(times)
