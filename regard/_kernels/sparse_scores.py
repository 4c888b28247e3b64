"""Scores of some queries and keys by tiles of our own: a panel of keys is turned once for all."""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import by_address
from regard._kernels.panels import turn_panel
from regard._kernels.tiles import COLUMNS, multiply
from regard._kernels.vectors import LANES, at, load, numbers_of, spread, store, times

_ROWS = 64
"""Queries whose scores are scaled while they are near to the core."""


def _scores(  # type: ignore[no-untyped-def]
    out, query, key, scale, rows, keys, q_head, k_head, width, first, last
):
    """`scale q k^T` of some panels of keys of some heads, one head's panels after the other."""
    panels = (keys + COLUMNS - 1) // COLUMNS
    space = np.empty(COLUMNS * (width + _ROWS) + LANES, np.float32)
    turned = numbers_of(space)
    spare = at(turned, COLUMNS * width)
    beside, by = carray(spare, (_ROWS, COLUMNS)), spread(np.float32(scale))
    for task in range(first, last):
        head, k0 = task // panels, task % panels * COLUMNS
        count = min(COLUMNS, keys - k0)
        turn_panel(turned, at(key, head * k_head + k0 * width), width, count, width)
        for r0 in range(0, rows, _ROWS):
            some = min(_ROWS, rows - r0)
            q, place = at(query, head * q_head + r0 * width), (head * rows + r0) * keys + k0
            multiply(spare, COLUMNS, q, width, 1, some, turned, COLUMNS, width)
            to = at(out, place)
            if count == COLUMNS:
                for i in range(some):
                    for j in range(0, COLUMNS, LANES):
                        store(times(load(at(spare, i * COLUMNS + j)), by), at(to, i * keys + j))
            else:
                for i in range(some):
                    for j in range(count):
                        to[i * keys + j] = beside[i, j] * np.float32(scale)
    space[0] = 0  # so that it is there until here


scores = by_address(_scores, [types.float32] * 3, 7, numbers=1)
