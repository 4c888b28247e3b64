"""Which numbers a dropout keeps, drawn for a CPU from 16 random bits each."""

import torch
from torch import Tensor

_STEPS = 65_536


def draw_kept(out: Tensor, p: float) -> float:
    """Write into a tensor which of its numbers are kept, each with probability 1 - p.

    p is rounded to a multiple of 1 / 65 536; what comes back is one over the rounded probability,
    by which the kept numbers have to be multiplied for the mean to be exact. The random numbers are
    those of `torch.manual_seed`.

    >>> kept = torch.empty(2, 1000, dtype=torch.bool)
    >>> draw_kept(kept, 0.25), 0.6 < kept.float().mean() < 0.9
    (1.3333333333333333, tensor(True))
    """
    likely = min(max(round((1.0 - p) * _STEPS), 1), _STEPS - 1)
    words = torch.empty((out.numel() + 3) // 4, dtype=torch.int64, device=out.device)
    words.random_(-(2**63), None)
    bits = words.view(torch.int16)[: out.numel()].view(out.shape)
    torch.lt(bits, likely - _STEPS // 2, out=out)
    return _STEPS / likely
