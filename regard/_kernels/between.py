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
    sum_of,
    tanh,
    times,
    turn,
    unless_zero,
    weight2,
)

_F = np.float32


@in_loops
def cap(s, row, rows, by, onto):  # type: ignore[no-untyped-def]
    """`s = onto tanh(by s)`."""
    factor, most = spread(_F(by)), spread(_F(onto))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            store(times(most, tanh(times(load(at(s, k)), factor))), at(s, k))


@in_loops
def cap_and_slope(s, slopes, row, rows, by, onto, apart):  # type: ignore[no-untyped-def]
    """The same, and `slopes = 1 - tanh²`.

    So far apart from these, if at all, are the changes with the cap itself: `tanh x - x slope`.
    """
    factor, most, one, zero = spread(_F(by)), spread(_F(onto)), spread(_F(1)), spread(_F(0))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            x = times(load(at(s, k)), factor)
            t = tanh(x)
            flat = fma(minus(zero, t), t, one)
            store(times(most, t), at(s, k))
            store(flat, at(slopes, k))
            if apart:
                store(minus(t, unless_zero(flat, times(x, flat))), at(slopes, k + apart))


@in_loops
def slope(d, slopes, row, rows):  # type: ignore[no-untyped-def]
    """Changes of what was capped become changes of what there was before."""
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            store(times(load(at(d, k)), load(at(slopes, k))), at(d, k))


@in_loops
def product_of_tiles(x, y, row, rows):  # type: ignore[no-untyped-def]
    """The sum of all products of two numbers at the same place of two panels."""
    total = spread(_F(0))
    for j in range(0, COLUMNS, LANES):
        for k in range(j, j + rows * row, row):
            total = fma(load(at(x, k)), load(at(y, k)), total)
    return sum_of(total)


@in_loops
def bias_of(by_distance, bias, q_row, query, key, k_len, left, rows, room):  # type: ignore[no-untyped-def]
    """The address of a panel's biases, those of its first key, and how far it is to the next key's.

    Args:
        bias: of a head, by distance from the last key ahead of the first query on.
        left: queries from the panel's first on.
        room: where biases that lie by pairs are turned.
    """
    if by_distance:
        return at(bias, query - key + k_len - 1), -1
    turn_panel(room, at(bias, query * q_row + key), q_row, left, rows)
    return room, COLUMNS


@in_loops
def add_bias(s, row, rows, scale, bias, step, unit):  # type: ignore[no-untyped-def]
    """`s[k, j] = scale s[k, j] + unit bias[j + step k]`."""
    by, unit = spread(_F(scale)), spread(_F(unit))
    for k in range(rows):
        for j in range(0, COLUMNS, LANES):
            here = at(s, k * row + j)
            store(fma(load(at(bias, j + k * step)), unit, times(load(here), by)), here)


@in_loops
def squash(s, row, rows, scale):  # type: ignore[no-untyped-def]
    """Scores become sigmoid's weights, `scale` times each being a power of two."""
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
    by = spread(_F(scale))
    for j in range(0, COLUMNS, LANES):
        most, mean = load(at(top, j)), load(at(inner, j))
        for k in range(j, j + rows * row, row):
            weight = weight2(times(minus(load(at(p, k)), most), by))
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
