"""Products of a panel's queries with a vector for each distance, brought to the keys and back.

A tile of `COLUMNS` queries and `KEYS` keys meets their distances in as many columns as both have
together, and row i finds key k in column `COLUMNS - 1 - i + k`: rows that are read one number
shorter than they are lie as the keys do. The next tile of the same queries goes on where this one
ends, so that what it shares with it is neither multiplied again nor summed twice.
"""

import numpy as np

from regard._kernels.panels import KEYS
from regard._kernels.tiles import COLUMNS, multiply, multiply_add
from regard._kernels.vectors import LANES, at, in_loops, load, spread, store, turn

DISTANCES = KEYS + COLUMNS
"""Columns of a tile, one more than there are distances."""


@in_loops
def first_distance(query, key, q_len):  # type: ignore[no-untyped-def]
    """The row, of a table with a margin of `COLUMNS`, that is a tile's first column."""
    return key + q_len - query


@in_loops
def multiply_distances(to, q, q_row, left, table, table_row, first, rows, goes_on, depth):  # type: ignore[no-untyped-def]
    """`to[i, c] = sum_d q[i, d] table[d, first + c]` for a panel, in the columns of so many keys.

    Args:
        left: queries from the panel's first on.
        goes_on: whether `to` holds the products with the keys before these.
    """
    count, begin = min(left, COLUMNS), 0
    if goes_on:
        begin = COLUMNS
        for i in range(0, count * DISTANCES, DISTANCES):
            for j in range(0, COLUMNS, LANES):
                store(load(at(to, i + KEYS + j)), at(to, i + j))
    for c in range(begin, rows + COLUMNS - 1, COLUMNS):
        multiply(
            at(to, c), DISTANCES, q, q_row, 1, count, at(table, first + c), table_row, depth
        )  # fmt: skip


@in_loops
def turn_distances(to, x, row, rows, goes_on):  # type: ignore[no-untyped-def]
    """`to[i, COLUMNS - 1 - i + k] = x[k, i]` for a panel of so many keys, and zeros beside it.

    Args:
        goes_on: whether `to` holds the same of the keys before these, whose last columns stay.
    """
    zero = spread(np.float32(0))
    for i in range(0, COLUMNS * DISTANCES, DISTANCES):
        for j in range(0, COLUMNS, LANES):
            store(load(at(to, i + KEYS + j)) if goes_on else zero, at(to, i + j))
        for j in range(COLUMNS, DISTANCES, LANES):
            store(zero, at(to, i + j))
    whole = rows - rows % LANES
    for j in range(0, COLUMNS, LANES):
        there = at(to, COLUMNS - 1 + j * (DISTANCES - 1))
        for k in range(0, whole, LANES):
            turn(at(there, k), DISTANCES - 1, at(x, k * row + j), row)
        for i in range(LANES):
            for k in range(whole, rows):
                there[i * (DISTANCES - 1) + k] = x[k * row + j + i]


@in_loops
def multiply_changes(to_q, to_table, x, count, left, q, table, wide):  # type: ignore[no-untyped-def]
    """`to_q[i, :] += sum_c x[i, c] table[c, :]` and `to_table[c, :] += sum_i x[i, c] q[i, :]`.

    Args:
        count: columns of `x`, a multiple of `COLUMNS`.
        left: queries from the panel's first on.
    """
    queries = min(left, COLUMNS)
    for d in range(0, wide, COLUMNS):
        multiply_add(
            at(to_q, d), wide, x, DISTANCES, 1, queries, at(table, d), wide, count
        )  # fmt: skip
        multiply_add(
            at(to_table, d), wide, x, 1, DISTANCES, count, at(q, d), wide, queries
        )  # fmt: skip
