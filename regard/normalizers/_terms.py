"""The equation of entmax for alpha up to 2: sum of the weights, its slope, its solution.

With `s = alpha - 1` and gaps to the best score, a weight is `u` times its share of the largest one,

    share_j = (1 + s gap_j / u^s)^(1/s)          exp(gap_j) for s -> 0

which is accurate for small s, where powers of `u^s + s gap_j` are not. The sum `u * sum(share)`
must be 1, and its slope in `u` is `sum(share^(1-s))`.
"""

import torch
from torch import Tensor

from regard.normalizers._support import ScoreRows, newton


def largest(rows: ScoreRows, s: Tensor, upper: Tensor) -> Tensor:
    """The largest weights for s <= 1, where the sum is convex in u and Newton's method safe."""
    return newton(upper, lambda u: _step(rows, u, s, rows.outside(u**s / s)))


def weigh_terms(rows: ScoreRows, u: Tensor, s: Tensor) -> Tensor:
    """Weights on the support of the solution `u`, with derivatives to gaps and `s`.

    The dependence of u on both enters by Newton steps at the solution: one makes the first
    derivatives right, two the second and third as well.
    """
    outside = rows.outside(u ** s.detach() / s.detach())
    for _ in range(2):
        u = _step(rows, u, s, outside)
    share, _ = _terms(rows, u, s, outside)
    return (rows.spread(u) * share).masked_fill(outside, 0.0)


def _step(rows: ScoreRows, u: Tensor, s: Tensor, outside: Tensor) -> Tensor:
    share, slope = _terms(rows, u, s, outside)
    return u - (u * rows.total(share) - 1.0) / rows.total(slope).clamp_min(1.0)


def _terms(rows: ScoreRows, u: Tensor, s: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    """Shares and their slopes, 0 outside."""
    gaps = rows.gaps.masked_fill(outside, 0.0)
    scale = (s * u**-s).clamp_max(torch.finfo(u.dtype).max)
    below = (gaps * rows.spread(scale)).clamp_min(torch.finfo(u.dtype).eps - 1.0)
    share = (below.log1p() / rows.spread(s)).exp().masked_fill(outside, 0.0)
    return share, share / (1.0 + below)
