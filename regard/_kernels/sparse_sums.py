"""Sums over the keys that have weight, and the way back through them.

Each sum is taken by one thread in one order: rows are apart from each other, and so are key heads.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner


def _weighted_rows(  # type: ignore[no-untyped-def]
    out, weights, places, counts, value, each, width, rows, start, keys, key, shared, wide, first,
    last,
):  # fmt: skip
    """The weighted sums of values of the rows `first..last`.

    Of each head there are `each`, which begin at `start` of its `rows`; so many heads share values,
    the places of which begin at `key`.
    """
    heads = (last + each - 1) // each
    y, v = carray(out, (heads, rows, wide)), carray(value, (heads, keys, wide))
    w, at = carray(weights, (last, width)), carray(places, (last, width))
    found = carray(counts, (last,))
    for r in range(first, last):
        head = r // each
        total, values = y[head, start + r - head * each], v[head // shared]
        total[:] = np.float32(0)
        for j in range(found[r]):
            weight, one = w[r, j], values[key + at[r, j]]
            for d in range(wide):
                total[d] += weight * one[d]


def _packed_rows(to, beside, weights, places, starts, counts, width, key, first, last):  # type: ignore[no-untyped-def]
    """The keys with weight of the rows `first..last`, from each row's start on."""
    begin, found = carray(starts, (last,)), carray(counts, (last,))
    w, at = carray(weights, (last, width)), carray(places, (last, width))
    size = begin[last - 1] + found[last - 1]
    out, out_at = carray(to, (size,)), carray(beside, (size,))
    for r in range(first, last):
        for j in range(found[r]):
            out[begin[r] + j], out_at[begin[r] + j] = w[r, j], at[r, j] + key


def _dot_of(x, y):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


_dot = inner(_dot_of, fastmath=SUMS)


def _products(out, query, key, places, starts, counts, size, rows, keys, wide, first, last):  # type: ignore[no-untyped-def]
    """The dot products of queries and the keys that they have; `rows` queries share their keys."""
    begin, found = carray(starts, (last * rows,)), carray(counts, (last * rows,))
    y, at = carray(out, (size,)), carray(places, (size,))
    q, k = carray(query, (last * rows, wide)), carray(key, (last, keys, wide))
    for head in range(first, last):
        for r in range(head * rows, (head + 1) * rows):
            for e in range(begin[r], begin[r] + found[r]):
                y[e] = _dot(q[r], k[head, at[e]])


def _sums_to_keys(to, change, query, places, starts, counts, size, rows, keys, wide, first, last):  # type: ignore[no-untyped-def]
    """What the queries add to the keys that they have, each times its change."""
    begin, found = carray(starts, (last * rows,)), carray(counts, (last * rows,))
    c, at = carray(change, (size,)), carray(places, (size,))
    q, out = carray(query, (last * rows, wide)), carray(to, (last, keys, wide))
    for head in range(first, last):
        for r in range(head * rows, (head + 1) * rows):
            mine = q[r]
            for e in range(begin[r], begin[r] + found[r]):
                one, its = c[e], out[head, at[e]]
                for d in range(wide):
                    its[d] += one * mine[d]


def _sums_to_queries(to, change, key, places, starts, counts, size, rows, keys, wide, first, last):  # type: ignore[no-untyped-def]
    """What the keys add to the queries that have them, each times its change."""
    begin, found = carray(starts, (last * rows,)), carray(counts, (last * rows,))
    c, at = carray(change, (size,)), carray(places, (size,))
    out, k = carray(to, (last * rows, wide)), carray(key, (last, keys, wide))
    for head in range(first, last):
        for r in range(head * rows, (head + 1) * rows):
            total = out[r]
            total[:] = np.float32(0)
            for e in range(begin[r], begin[r] + found[r]):
                one, its = c[e], k[head, at[e]]
                for d in range(wide):
                    total[d] += one * its[d]


def _slope_of(weight, power):  # type: ignore[no-untyped-def]
    if power == 0.0:
        return 1.0
    if power == 1.0:
        return weight
    return np.sqrt(weight) if power == 0.5 else weight**power


_slope = inner(_slope_of)


def _changes_of_scores(change, weights, starts, counts, power, size, first, last):  # type: ignore[no-untyped-def]
    """From changes of weights to those of scores, in their place, for the rows `first..last`.

    `slope (change - sum(slope change) / sum(slope))`, where a weight has the slope `weight^power`.
    """
    begin, found = carray(starts, (last,)), carray(counts, (last,))
    c, w, e = carray(change, (size,)), carray(weights, (size,)), carray(power, (1,))[0]
    for r in range(first, last):
        total, inside = 0.0, 0.0
        for j in range(begin[r], begin[r] + found[r]):
            slope = _slope(np.float64(w[j]), e)
            total += slope
            inside += slope * c[j]
        for j in range(begin[r], begin[r] + found[r]):
            c[j] = np.float32(_slope(np.float64(w[j]), e) * (c[j] - inside / total))


_F, _I, _L, _D = types.float32, types.int32, types.int64, types.float64
weighted_rows = by_address(_weighted_rows, [_F, _F, _I, _L, _F], 10)
packed_rows = by_address(_packed_rows, [_F, _I, _F, _I, _L, _L], 4)
products = by_address(_products, [_F, _F, _F, _I, _L, _L], 6)
sums_to_keys = by_address(_sums_to_keys, [_F, _F, _F, _I, _L, _L], 6)
sums_to_queries = by_address(_sums_to_queries, [_F, _F, _F, _I, _L, _L], 6)
changes_of_scores = by_address(_changes_of_scores, [_F, _F, _L, _L, _D], 3)
