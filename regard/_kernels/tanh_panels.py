"""Scores of a panel of queries by sums of tanh, those of far rows and a mask of bytes included."""

import numpy as np

from regard._kernels.by_address import SUMS, inner
from regard._kernels.exponentials import exp_twice, is_far
from regard._kernels.tanh_tiles import score
from regard._kernels.vectors import LANES, at, in_loops, load, store
from regard._kernels.vectors import exp_twice as vector_exp_twice

_F = np.float32
TWICE = _F(2.8853901)
"""A score is a number that all share, less twice a sum; and weights are powers of two."""


def _sum_of(e, v):  # type: ignore[no-untyped-def]
    total = _F(0)
    for i in range(len(v)):
        total += v[i] / (_F(1) + e[i])
    return total


_sum = inner(_sum_of, fastmath=SUMS)


@in_loops
def take_exponentials(to, x, numbers):  # type: ignore[no-untyped-def]
    """`to[i] = exp(2 x[i])`; a vector's room behind `to` is overwritten."""
    whole = numbers - numbers % LANES
    for i in range(0, whole, LANES):
        store(vector_exp_twice(load(at(x, i))), at(to, i))
    if whole < numbers:
        for i in range(whole, numbers):
            to[i] = x[i]
        store(vector_exp_twice(load(at(to, whole))), at(to, whole))


@in_loops
def mark_far(far, x):  # type: ignore[no-untyped-def]
    """Which rows hold numbers beyond those whose exponentials are taken, or NaN."""
    for i in range(len(x)):
        far[i] = is_far(x[i])


@in_loops
def any_far(far):  # type: ignore[no-untyped-def]
    """Whether any of some rows is far from zero."""
    for one in far:
        if one:
            return True
    return False


@in_loops
def _score_far(s, s_row, q, far_q, k, far_k, v, near, powers):  # type: ignore[no-untyped-def]
    """The scores of those pairs in which one is far, each by itself, in place of what is there."""
    for j in range(len(k)):
        for i in range(len(q)):
            if far_k[j] or far_q[i]:
                exp_twice(near, powers, q[i], k[j], 0)
                s[j * s_row + i] = -_sum(near, v)


@in_loops
def _count_open(is_open, start, q_step, k_step, count, rows):  # type: ignore[no-untyped-def]
    """How many pairs of some queries and keys are permitted."""
    total = np.int32(0)
    for i in range(count):
        row = start + i * q_step
        if k_step == 0:
            total = np.int32(total + np.int32(rows) * np.int32(is_open[row]))
        elif k_step == 1:
            for j in range(rows):
                total = np.int32(total + np.int32(is_open[row + j]))
        else:
            for j in range(rows):
                total = np.int32(total + np.int32(is_open[row + j * k_step]))
    return total


@in_loops
def _hide_closed(s, s_row, is_open, start, q_step, k_step, count, rows):  # type: ignore[no-untyped-def]
    """Minus infinity for those that are not."""
    for i in range(count):
        for j in range(rows):
            score = s[j * s_row + i]
            s[j * s_row + i] = score if is_open[start + i * q_step + j * k_step] else _F(-np.inf)


@in_loops
def score_open(  # type: ignore[no-untyped-def]
    s, s_row, e, q, far_q, f, k, far_k, v, by, near, powers, is_open, start, q_step, k_step
):
    """`s[k, :] = -sum v / (1 + e f)` of a panel, minus infinity for closed pairs; `by` is `v`.

    It answers how many are open; where none is, nothing is written.
    """
    count, rows, width = len(q), len(k), len(by)
    found = _count_open(is_open, start, q_step, k_step, count, rows)
    if found == 0:
        return 0
    score(s, s_row, f, width, e, v, width, rows)
    if any_far(far_q) or any_far(far_k):
        _score_far(s, s_row, q, far_q, k, far_k, by, near, powers)
    if found < count * rows:
        _hide_closed(s, s_row, is_open, start, q_step, k_step, count, rows)
    return found
