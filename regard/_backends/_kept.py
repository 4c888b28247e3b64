"""Which numbers a dropout keeps, drawn for a CPU from 16 random bits each."""

import torch
from torch import Tensor

from regard._kernels.blocked import OUT_OF, Dropping


def kept_of(p: float) -> int:
    """How many of `OUT_OF` numbers a dropout keeps: one at least, and fewer than all, if any.

    >>> kept_of(0.25), kept_of(1e-9), kept_of(1.0)
    (49152, 65535, 0)
    """
    if p >= 1.0:
        return 0
    return min(max(round((1.0 - p) * OUT_OF), 1), OUT_OF - 1)


def draw_kept(out: Tensor, p: float) -> float:
    """Write into a tensor which of its numbers are kept, each with probability 1 - p.

    p is rounded to a multiple of 1 / 65 536; what comes back is one over the rounded probability,
    by which the kept numbers have to be multiplied for the mean to be exact. The random numbers are
    those of `torch.manual_seed`.

    >>> kept = torch.empty(2, 1000, dtype=torch.bool)
    >>> draw_kept(kept, 0.25), 0.6 < kept.float().mean() < 0.9
    (1.3333333333333333, tensor(True))
    """
    likely = kept_of(p)
    words = torch.empty((out.numel() + 3) // 4, dtype=torch.int64, device=out.device)
    words.random_(-(2**63), None)
    bits = words.view(torch.int16)[: out.numel()].view(out.shape)
    torch.lt(bits, likely - OUT_OF // 2, out=out)
    return Dropping(kept=likely).larger


def draw_seed() -> Tensor:
    """A seed for the weights that a kernel drops, from the numbers of `torch.manual_seed`."""
    return torch.randint(2**63 - 1, (1,), dtype=torch.int64)
