"""What the backward pass of sums of tanh does to a panel: changes of scores, and where they go."""

import numpy as np

from regard._kernels.exponentials import FLAT, exp_twice
from regard._kernels.panels import QUERIES, turn_back
from regard._kernels.tanh_panels import TWICE
from regard._kernels.tiles import COLUMNS
from regard._kernels.vectors import (
    LANES,
    at,
    exp2,
    in_loops,
    load,
    minus,
    plus,
    spread,
    store,
    times,
    turn,
    unless_zero,
)  # fmt: skip

_F = np.float32


@in_loops
def change(p, dp, rows, top, inner, all_changes):  # type: ignore[no-untyped-def]
    """Scores become weights again, and changes of weights become changes of scores, and a sum."""
    by, zero = spread(TWICE), spread(_F(0))
    for j in range(0, COLUMNS, LANES):
        most, mean, total = load(at(top, j)), load(at(inner, j)), zero
        for k in range(j, j + rows * QUERIES, QUERIES):
            weight = exp2(times(minus(load(at(p, k)), most), by))
            change = unless_zero(weight, times(weight, minus(load(at(dp, k)), mean)))
            store(weight, at(p, k))
            store(change, at(dp, k))
            total = plus(total, change)
        for k in range(j + rows * QUERIES, j + COLUMNS * QUERIES, QUERIES):
            store(zero, at(dp, k))
        store(plus(load(at(all_changes, j)), total), at(all_changes, j))


@in_loops
def clear(p, dp):  # type: ignore[no-untyped-def]
    """No weights and no changes, where all is hidden."""
    zero = spread(_F(0))
    for k in range(0, COLUMNS * QUERIES, QUERIES):
        for j in range(k, k + COLUMNS, LANES):
            store(zero, at(p, j))
            store(zero, at(dp, j))


@in_loops
def sum_keys(to, x, spare):  # type: ignore[no-untyped-def]
    """`to[k] += sum_j x[k, j]` for `COLUMNS` keys and the numbers of a vector."""
    for k in range(0, COLUMNS, LANES):
        turn(spare, LANES, at(x, k * LANES), LANES)
        total = load(at(to, k))
        for j in range(LANES):
            total = plus(total, load(at(spare, j * LANES)))
        store(total, at(to, k))


@in_loops
def give(to, rows, x, v, ones, width):  # type: ignore[no-untyped-def]
    """A panel's gradients, as rows of `width`."""
    for d in range(width):
        by = spread(_F(4) * v[d])
        for j in range(d * COLUMNS, (d + 1) * COLUMNS, LANES):
            store(times(load(at(x, j)), by), at(x, j))
    turn_back(to, width, x, ones, rows, width)


@in_loops
def add_far(to_k, to_q, to_v, ds, row, q, far_q, k, far_k, near, powers):  # type: ignore[no-untyped-def]
    """The gradients of those pairs, whose changes are zero then."""
    for j in range(len(k)):
        for i in range(len(q)):
            change = ds[j * row + i]
            if (far_k[j] or far_q[i]) and change != 0:
                ds[j * row + i] = _F(0)
                exp_twice(near, powers, q[i], k[j], 1)
                for d in range(len(near)):
                    r = _F(1) / (_F(1) + near[d])
                    slope = r * (near[d] * r)
                    found = change * slope if slope > FLAT else _F(0)
                    to_v[d] += change * r
                    to_q[d * COLUMNS + i] += found
                    to_k[d * COLUMNS + j] += found
