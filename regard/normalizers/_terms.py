"""The equation of entmax for any alpha: sum of the weights, its slope, its solution.

With `s = alpha - 1` and gaps to the best score, a weight is `u` times its share of the largest one,

    share_j = (1 + s gap_j / u^s)^(1/s)          exp(gap_j) for s -> 0

which is accurate for small s, where powers of `u^s + s gap_j` are not. The sum `u * sum(share)`
must be 1, and its slope in `u` is `sum(share^(1-s))`.
"""

import torch
from torch import Tensor

from regard.normalizers._support import STEPS, Rows, newton


def largest(rows: Rows, s: Tensor, upper: Tensor) -> Tensor:
    """The largest weights for s <= 1, where the sum is convex in u and Newton's method safe."""
    return newton(upper, lambda u: _step(rows, u, s, rows.outside(u**s / s)))


def bisect(rows: Rows, s: Tensor, upper: Tensor) -> Tensor:
    """The largest weights for any s; they lie between 1 / size of the row and 1."""
    high, low = upper, 1.0 / rows.total(torch.ones_like(rows.gaps)).clamp_min(1.0)
    for _ in range(2 * STEPS[high.dtype]):
        middle = 0.5 * (low + high)
        share, _ = _terms(rows, middle, s, rows.outside(middle**s / s))
        small = middle * rows.total(share) < 1.0
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
        close = high - low <= torch.finfo(high.dtype).eps * high
        if not torch.compiler.is_compiling() and bool(close.all()):
            break
    return high


def weigh(rows: Rows, u: Tensor, s: Tensor) -> Tensor:
    """Weights on the support of the solution `u`, with derivatives to gaps and `s`.

    The dependence of u on both enters by Newton steps at the solution: one makes the first
    derivatives right, two the second and third as well.
    """
    outside = rows.outside(u ** s.detach() / s.detach())
    for _ in range(2):
        u = _step(rows, u, s, outside)
    share, _ = _terms(rows, u, s, outside)
    return (rows.spread(u) * share).masked_fill(outside, 0.0)


def _step(rows: Rows, u: Tensor, s: Tensor, outside: Tensor) -> Tensor:
    share, slope = _terms(rows, u, s, outside)
    return u - (u * rows.total(share) - 1.0) / rows.total(slope).clamp_min(1.0)


def _terms(rows: Rows, u: Tensor, s: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    """Shares and their slopes, 0 outside."""
    gaps = rows.gaps.masked_fill(outside, 0.0)
    scale = (s * u**-s).clamp_max(torch.finfo(u.dtype).max)
    below = (gaps * rows.spread(scale)).clamp_min(torch.finfo(u.dtype).eps - 1.0)
    share = (below.log1p() / rows.spread(s)).exp().masked_fill(outside, 0.0)
    return share, share / (1.0 + below)
