"""Panels: `COLUMNS` queries side by side, one number of each in a row, and what is done to them.

With its queries side by side a panel's scores `[keys, COLUMNS]` have each query's maximum and sum
down a column, so that both are elementwise, and the products read them as they are written.
"""

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from regard._kernels.link_records import QUERIES as QUERIES
from regard._kernels.tiles import COLUMNS
from regard._kernels.vectors import (
    LANES,
    any_larger,
    at,
    exp2,
    in_loops,
    larger,
    load,
    minus,
    plus,
    spread,
    store,
    times,
    turn,
)  # fmt: skip

KEYS = 64
"""Of a block: so many keys and values stay in a core's nearest cache, all else in its own.

Half or twice as many, of keys as of queries, take as long, within 5 %.
"""

NOWHERE = np.iinfo(np.int32).max
"""Behind every key."""

_F = np.float32
LOWEST = _F(np.finfo(np.float32).min)
"""Below no score but minus infinity, which is infinitely far from it."""

ROW = QUERIES + LANES
"""Of a tile of all queries: they and zeros, which diagonals may run into."""


@in_loops
def turn_panel(to, x, x_row, rows, width):  # type: ignore[no-untyped-def]
    """`to[d, j] = x[j, d]` for a panel's rows, zeros where there are fewer."""
    out = carray(to, (width, COLUMNS))
    for j in range(0, COLUMNS, LANES):
        whole = width - width % LANES if j + LANES <= rows else 0
        for d in range(0, whole, LANES):
            turn(at(to, d * COLUMNS + j), COLUMNS, at(x, j * x_row + d), x_row)
        for d in range(whole, width):
            for i in range(j, j + LANES):
                out[d, i] = x[i * x_row + d] if i < rows else _F(0)


@in_loops
def turn_back(to, to_row, x, by, rows, width):  # type: ignore[no-untyped-def]
    """`to[j, d] = x[d, j] by[j]` for so many rows; `x` is used up."""
    for j in range(0, COLUMNS, LANES):
        factor = load(at(by, j))
        for d in range(width):
            store(times(load(at(x, d * COLUMNS + j)), factor), at(x, d * COLUMNS + j))
    for j in range(0, COLUMNS, LANES):
        whole = width - width % LANES if j + LANES <= rows else 0
        for d in range(0, whole, LANES):
            turn(at(to, j * to_row + d), to_row, at(x, d * COLUMNS + j), COLUMNS)
        for i in range(j, min(j + LANES, rows)):
            for d in range(whole, width):
                to[i * to_row + d] = x[d * COLUMNS + i]


@in_loops
def reach(edges, spans, lows, highs, step, count):  # type: ignore[no-untyped-def]
    """The first key that a block's queries see, and the end of the last.

    `edges` gets the same for each panel, and the keys between which all of its queries see all.
    The keys `spans[lows + i step]` to `spans[highs + i step]` are those of query i.
    """
    block_first, block_last = NOWHERE, 0
    for panel in range(QUERIES // COLUMNS):
        first, last, all_first, all_last = NOWHERE, 0, 0, NOWHERE
        for i in range(panel * COLUMNS, min(panel * COLUMNS + COLUMNS, count)):
            low, high = np.int64(spans[lows + i * step]), np.int64(spans[highs + i * step])
            if low < high:
                first, last = min(first, low), max(last, high)  # type: ignore[assignment]
            all_first, all_last = max(all_first, low), min(all_last, high)  # type: ignore[assignment]
        edges[panel, 0], edges[panel, 1] = first, last
        edges[panel, 2], edges[panel, 3] = all_first, all_last
        block_first, block_last = min(block_first, first), max(block_last, last)
    return block_first, block_last


@in_loops
def hide(scores, row, rows, key, spans, lows, highs, step, count):  # type: ignore[no-untyped-def]
    """Minus infinity where a query of a panel does not see a key, the first of which is `key`."""
    for j in range(min(count, COLUMNS)):
        for i in range(min(spans[lows + j * step] - key, rows)):
            scores[i * row + j] = -np.inf
        for i in range(max(spans[highs + j * step] - key, 0), rows):
            scores[i * row + j] = -np.inf


@in_loops
def clear(scores, row, near, far, rows):  # type: ignore[no-untyped-def]
    """Zeros in the rows of a panel that do not lie in `near..far`."""
    zero = spread(_F(0))
    for i in range(rows):
        if i < near or i >= far:
            for j in range(0, COLUMNS, LANES):
                store(zero, at(scores, i * row + j))


@in_loops
def weigh(s, rows, top, total, output, width, scale):  # type: ignore[no-untyped-def]
    """Scores of some keys become weights; what the maximum grows by is taken off all before.

    A weight is two to `scale` times what its score is below the maximum, which is taken before it
    is multiplied: there are scores that would overflow.
    """
    t = at(s, LANES)
    # Two rows at a time, because one waits for the other.
    high0, high1, other0, other1 = load(s), load(t), load(s), load(t)
    for k in range(0, rows - 1, 2):
        here, after = k * COLUMNS, (k + 1) * COLUMNS
        high0, high1 = larger(load(at(s, here)), high0), larger(load(at(t, here)), high1)
        other0, other1 = larger(load(at(s, after)), other0), larger(load(at(t, after)), other1)
    last = (rows - 1) * COLUMNS
    high0 = larger(load(at(s, last)), larger(other0, high0))
    high1 = larger(load(at(t, last)), larger(other1, high1))
    by, zero = spread(_F(scale)), spread(_F(0))
    old0, old1 = load(top), load(at(top, LANES))
    new0, new1 = larger(high0, old0), larger(high1, old1)
    total0, total1 = load(total), load(at(total, LANES))
    if any_larger(new0, old0) or any_larger(new1, old1):
        shrink0, shrink1 = exp2(times(minus(old0, new0), by)), exp2(times(minus(old1, new1), by))
        total0, total1 = times(total0, shrink0), times(total1, shrink1)
        store(new0, top)
        store(new1, at(top, LANES))
        for d in range(0, width * COLUMNS, COLUMNS):
            store(times(load(at(output, d)), shrink0), at(output, d))
            store(times(load(at(output, d + LANES)), shrink1), at(output, d + LANES))
    # Those of these keys by themselves: beside the sum of all, small ones would be nothing.
    some0, some1 = zero, zero
    for k in range(0, rows * COLUMNS, COLUMNS):
        w0 = exp2(times(minus(load(at(s, k)), new0), by))
        w1 = exp2(times(minus(load(at(t, k)), new1), by))
        store(w0, at(s, k))
        store(w1, at(t, k))
        some0, some1 = plus(some0, w0), plus(some1, w1)
    store(plus(total0, some0), total)
    store(plus(total1, some1), at(total, LANES))


@in_loops
def read_rows(to, to_row, x, x_row, width, by, rows):  # type: ignore[no-untyped-def]
    """`to[i, :] = x[i, :] by[i]`, zeros behind, and whatever it holds for a factor of zero."""
    for i in range(rows):
        factor = by[i]
        for d in range(width):
            to[i * to_row + d] = x[i * x_row + d] * factor if factor != 0 else _F(0)
        for d in range(width, to_row):
            to[i * to_row + d] = _F(0)


def _product_of(x, y, width):  # type: ignore[no-untyped-def]
    total = _F(0)
    for d in range(width):
        total += x[d] * y[d]
    return total


product = in_loops(_product_of, fastmath={"reassoc", "contract", "nsz"})
