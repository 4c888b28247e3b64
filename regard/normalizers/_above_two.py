"""Entmax for alpha > 2, where the weights of the best keys say little and that of the lowest all.

With `s = alpha - 1` every weight follows from that of the lowest key m that has any,

    weights_j = (p^s + c_j)^(1/s)      p = weights_m, c_j = s (scores_j - scores_m) >= 0

in which nothing cancels. Key m has weight if those above it leave some: `sum_j c_j^(1/s) < 1`,
which holds down to a depth and no further, so that m is found by halving the sorted keys. The sum
of the weights is convex in p with a slope of at least 1, so that Newton's method finds p from
above. Powers are taken of logarithms: p^s is 1e-3010 for two equal scores and alpha 10000.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._pairwise import Number
from regard.normalizers._closed import at_least_float32, close, in_dtype_of, without_keys
from regard.normalizers._sorted import DenseKeys, ListedKeys
from regard.normalizers._support import SOME, newton, within

STEEPEST = 300.0  # logarithm of the largest derivative that is kept, so that its square is finite


def entmax_above_two(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None, s: Number
) -> Float[Tensor, "*rows k_len"]:
    """The weights for `s = alpha - 1 > 1`; what is between scores and weights is float64."""
    if without_keys(scores):
        return scores * 1.0
    filled = at_least_float32(scores).detach()
    if where is not None:
        filled = torch.where(where, filled, -torch.inf)
    # A weight is at most 1, so its key is less than 1 / s below the best.
    pairs = within(filled, filled.amax(dim=-1, keepdim=True) - 1.0 / s, SOME)
    if pairs is not None and len(pairs) > 0:
        return in_dtype_of(scores, _weights(ListedKeys(at_least_float32(scores), pairs), s))
    filled, closed = close(scores, where)
    return in_dtype_of(scores, _weights(DenseKeys(filled), s).masked_fill(closed, 0.0))


def _weights(keys: DenseKeys | ListedKeys, s: Number) -> Tensor:
    with torch.no_grad():
        best = keys.best.detach()
        lowest = _lowest(keys, best, s)
        p = _smallest(keys, best, lowest, s)
    return keys.dense(_weigh(keys, lowest, p, s))


def _above(keys: DenseKeys | ListedKeys, best: Tensor, lowest: Tensor, s: Number) -> Tensor:
    """How far the keys are above the lowest one, times s; 0 for those below it."""
    return (s * (best - keys.spread(keys.at(best, lowest)))).clamp_min(0.0)


def _lowest(keys: DenseKeys | ListedKeys, best: Tensor, s: Number) -> Tensor:
    """The place of the lowest key with weight; the best key always has some."""
    low, high = torch.zeros_like(keys.size), keys.size
    for _ in range(keys.halvings):
        middle = (low + high) // 2
        left = keys.total(_above(keys, best, middle, s).pow(1.0 / s)) < 1.0
        low, high = torch.where(left, middle, low), torch.where(left, high, middle)
    return low


def _smallest(keys: DenseKeys | ListedKeys, best: Tensor, lowest: Tensor, s: Number) -> Tensor:
    """The weight p of the lowest key, by Newton's method from above."""
    above, outside = _above(keys, best, lowest, s), keys.place > keys.spread(lowest)
    log_above = above.log()

    def step(p: Tensor) -> Tensor:
        log_power = keys.spread(s * p.log())
        log_sum = torch.logaddexp(log_power, log_above)
        weights = (log_sum / s).exp().masked_fill(outside, 0.0)
        slopes = ((log_power - log_sum) * ((s - 1.0) / s)).exp().masked_fill(outside, 0.0)
        # The root is positive, but may be less than what the sum can tell from 0.
        p = p - (keys.total(weights) - 1.0) / keys.total(slopes).clamp_min(1.0)
        return p.clamp_min(torch.finfo(p.dtype).tiny)

    left = 1.0 - keys.total(above.pow(1.0 / s))
    return newton(torch.minimum(left, 1.0 / (lowest + 1.0)), step)


def _weigh(keys: DenseKeys | ListedKeys, lowest: Tensor, p: Tensor, s: Number) -> Tensor:
    """The weights for the solution p, with derivatives to the scores of first to third order.

    What depends on the scores is written as differences that are 0 in value. The dependence of p
    enters by two Newton steps at the solution, and the lowest key gets what the others leave: its
    own derivative is a difference of numbers that may be huge.
    """
    outside, others = keys.place > keys.spread(lowest), keys.place < keys.spread(lowest)
    best = keys.best.masked_fill(outside, 0.0)
    above = (s * (best - keys.spread(keys.at(best, lowest)))).masked_fill(~others, 0.0)

    log_sum = torch.logaddexp(keys.spread(s * p.log()), above.detach().clamp_min(0.0).log())
    known = (log_sum / s).exp()
    steepness = (-log_sum).clamp_max(STEEPEST).exp()
    moved = steepness * (above - above.detach())

    def weights_and_slopes(p_now: Tensor) -> tuple[Tensor, Tensor]:
        ratio = keys.spread(p_now) / known
        growth = 1.0 + moved + (ratio.pow(s) - ratio.detach().pow(s))
        weights, slopes = growth.pow(1.0 / s), ratio.pow(s - 1.0) * growth.pow(1.0 / s - 1.0)
        return (known * weights).masked_fill(~others, 0.0), slopes.masked_fill(~others, 0.0)

    p_now = p
    for _ in range(2):
        weights, slopes = weights_and_slopes(p_now)
        total = p_now + keys.total(weights)
        p_now = p_now - (total - total.detach()) / (1.0 + keys.total(slopes))
    weights, _ = weights_and_slopes(p_now)
    taken = keys.total(weights)
    return torch.where(others | outside, weights, keys.spread(p - (taken - taken.detach())))
