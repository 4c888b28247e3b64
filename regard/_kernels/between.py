"""What is done to a panel's scores between the two products, number by number.

A score is capped, is given a bias, and becomes a weight: each step is a pass over a tile that lies
in the nearest cache, which takes a fiftieth of the products' time if it only adds.
"""

import numpy as np

from regard._kernels.panels import turn_panel
from regard._kernels.tiles import COLUMNS
from regard._kernels.vectors import (
    LANES,
    at,
    fma,
    in_loops,
    load,
    logistic2,
    minus,
    plus,
    spread,
    store,
    tanh,
    times,
    turn,
    weight2,
)

NO_BIAS, BY_DISTANCE, BY_PAIR = 0, 1, 2
"""A bias has a number for each distance, or one for each pair."""

_F = np.float32
PER_OCTAVE = _F(1.4426950408889634)


@in_loops
def cap(s, row, rows, by, onto):  # type: ignore[no-untyped-def]
    """`s = onto tanh(by s)`."""
    factor, most = spread(_F(by)), spread(_F(onto))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            store(times(most, tanh(times(load(at(s, k)), factor))), at(s, k))


@in_loops
def cap_and_slope(s, slopes, row, rows, by, onto):  # type: ignore[no-untyped-def]
    """The same, and `slopes = 1 - tanh²`."""
    factor, most, one, zero = spread(_F(by)), spread(_F(onto)), spread(_F(1)), spread(_F(0))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            t = tanh(times(load(at(s, k)), factor))
            store(times(most, t), at(s, k))
            store(fma(minus(zero, t), t, one), at(slopes, k))


@in_loops
def slope(d, slopes, row, rows):  # type: ignore[no-untyped-def]
    """Changes of what was capped become changes of what there was before."""
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            store(times(load(at(d, k)), load(at(slopes, k))), at(d, k))


@in_loops
def bias_of(kind, bias, q_row, query, key, k_len, left, rows, room):  # type: ignore[no-untyped-def]
    """The address of a panel's biases, those of its first key, and how far it is to the next key's.

    Args:
        bias: of a head, by distance from the last key ahead of the first query on.
        left: queries from the panel's first on.
        room: where biases that lie by pairs are turned.
    """
    if kind == BY_DISTANCE:
        return at(bias, query - key + k_len - 1), -1
    turn_panel(room, at(bias, query * q_row + key), q_row, left, rows)
    return room, COLUMNS


@in_loops
def add_bias(s, row, rows, scale, bias, step, unit):  # type: ignore[no-untyped-def]
    """`s[k, j] = scale s[k, j] + unit bias[j + step k]`, in powers of two."""
    by, unit = spread(_F(scale)), spread(_F(unit))
    for k in range(rows):
        for j in range(0, COLUMNS, LANES):
            here = at(s, k * row + j)
            store(fma(load(at(bias, j + k * step)), unit, times(load(here), by)), here)


@in_loops
def squash(s, row, rows, scale):  # type: ignore[no-untyped-def]
    """Scores in powers of two become sigmoid's weights."""
    by = spread(_F(scale))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            store(logistic2(times(load(at(s, k)), by)), at(s, k))


@in_loops
def squash_again(p, dp, row, rows, scale):  # type: ignore[no-untyped-def]
    """The same again, and changes of weights become changes of scores: `dp w (1 - w)`."""
    by = spread(_F(scale))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            w, change = logistic2(times(load(at(p, k)), by)), load(at(dp, k))
            store(w, at(p, k))
            store(times(w, minus(change, times(w, change))), at(dp, k))


@in_loops
def weigh_again(p, dp, row, rows, top, inner, scale):  # type: ignore[no-untyped-def]
    """Scores become softmax's weights again, and changes of weights become changes of scores."""
    by, zero = spread(_F(scale)), spread(_F(0))
    for j in range(0, COLUMNS, LANES):
        less, mean = minus(zero, load(at(top, j))), load(at(inner, j))
        for k in range(j, j + rows * row, row):
            weight = weight2(fma(load(at(p, k)), by, less))
            store(weight, at(p, k))
            store(times(weight, minus(load(at(dp, k)), mean)), at(dp, k))


@in_loops
def sum_diagonals(to, x, row, rows, columns):  # type: ignore[no-untyped-def]
    """`to[j - k] += x[k, j]`, zeros beside each row for as far as a vector may reach.

    A vector of sums is read down the slope, so that nothing is written that is read at once.
    """
    zero = spread(_F(0))
    for first in range(-((rows + LANES - 2) // LANES) * LANES, columns, LANES):
        total = zero
        for k in range(max(0, 1 - LANES - first), min(rows, columns - first)):
            total = plus(total, load(at(x, k * row + first + k)))
        store(plus(load(at(to, first)), total), at(to, first))


@in_loops
def add_turned(to, to_row, x, row, rows, count, room):  # type: ignore[no-untyped-def]
    """`to[j, k] += x[k, j]` for so many keys and queries of a panel."""
    for j in range(0, min(count, COLUMNS), LANES):
        whole = rows - rows % LANES if j + LANES <= count else 0
        for k in range(0, whole, LANES):
            turn(room, LANES, at(x, k * row + j), row)
            for i in range(LANES):
                there = at(to, (j + i) * to_row + k)
                store(plus(load(there), load(at(room, i * LANES))), there)
        for i in range(j, min(j + LANES, count)):
            for k in range(whole, rows):
                to[i * to_row + k] += x[k * row + i]
