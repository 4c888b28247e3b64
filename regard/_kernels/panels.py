"""Panels: `COLUMNS` queries side by side, one number of each in a row, and what is done to them.

With its queries side by side a panel's scores `[keys, COLUMNS]` have each query's maximum and sum
down a column, so that both are elementwise, and the products read them as they are written.
"""

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from regard._kernels.tiles import COLUMNS
from regard._kernels.vectors import LANES, at, in_loops, load, store, times, turn

KEYS, QUERIES = 64, 128
"""Of a block: keys and values of the first stay in a core's nearest cache, all else in its own.

Half or twice as many take as long, within 5 %.
"""

_F = np.float32


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
def hide(scores, row, rows, ahead):  # type: ignore[no-untyped-def]
    """Minus infinity where key i lies more than `ahead` behind query j, counted in the panel."""
    for i in range(rows):
        for j in range(min(max(i - ahead, 0), COLUMNS)):
            scores[i * row + j] = -np.inf
