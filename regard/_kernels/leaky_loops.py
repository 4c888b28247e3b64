"""`sum v LeakyReLU(q + k)` of all pairs of a query and a key.

With a slope `s` below zero,

    LeakyReLU(x) = s x + (1 - s) max(x, 0)

of which the first half is a dot product of each vector with `v`, taken in float64 so that vectors
which cancel lose nothing, and a number of a pair costs a sum, a maximum and a product that is
added.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner


def _dots(out, given, weights, width, rows, first, last):  # type: ignore[no-untyped-def]
    """The dot products of the rows `first..last` with the weights, in float64."""
    found, x, v = carray(out, (rows,)), carray(given, (rows, width)), carray(weights, (width,))
    for r in range(first, last):
        total = np.float64(0)
        for i in range(width):
            total += np.float64(x[r, i]) * np.float64(v[i])
        found[r] = total


def _four_of(q, v, a, b, c, d):  # type: ignore[no-untyped-def]
    """`sum v max(q + k, 0)` of four keys."""
    none = np.float32(0)
    to_a, to_b, to_c, to_d = none, none, none, none
    for i in range(len(v)):
        x = q[i] + a[i]
        to_a += v[i] * (none if x < none else x)
        x = q[i] + b[i]
        to_b += v[i] * (none if x < none else x)
        x = q[i] + c[i]
        to_c += v[i] * (none if x < none else x)
        x = q[i] + d[i]
        to_d += v[i] * (none if x < none else x)
    return to_a, to_b, to_c, to_d


_four = inner(_four_of, fastmath=SUMS)


def _scores(  # type: ignore[no-untyped-def]
    out, q, of_q, k, of_k, weights, slopes, q_len, k_len, width, heads, first, last
):
    """The scores of the queries `first..last`, those of all heads one after the other."""
    rows = heads * q_len
    scores, v = carray(out, (rows, k_len)), carray(weights, (width,))
    queries, keys = carray(q, (rows, width)), carray(k, (heads, k_len, width))
    by_q, by_k = carray(of_q, (rows,)), carray(of_k, (heads, k_len))
    # Both are given: from the other each, sums in any order would make inf - inf of an infinity.
    (below, above), end = carray(slopes, (2,)), k_len - 1
    for r in range(first, last):
        n, row = r // q_len, scores[r]
        for j in range(0, k_len, 4):
            at = j, min(j + 1, end), min(j + 2, end), min(j + 3, end)
            halves = _four(
                queries[r], v, keys[n, at[0]], keys[n, at[1]], keys[n, at[2]], keys[n, at[3]]
            )
            for one in range(4):
                # A half that is not there has no infinity, either.
                linear = below * (by_q[r] + by_k[n, at[one]]) if below else np.float64(0)
                bent = above * np.float64(halves[one]) if above else np.float64(0)
                row[at[one]] = np.float32(linear + bent)


def _four_larger_of(q, v, slope, a, b, c, d):  # type: ignore[no-untyped-def]
    """`sum v max(x, slope x)` of four keys, where x is q + k."""
    none = np.float32(0)
    to_a, to_b, to_c, to_d = none, none, none, none
    for i in range(len(v)):
        x, y, z, w = q[i] + a[i], q[i] + b[i], q[i] + c[i], q[i] + d[i]
        to_a += v[i] * max(x, slope * x)
        to_b += v[i] * max(y, slope * y)
        to_c += v[i] * max(z, slope * z)
        to_d += v[i] * max(w, slope * w)
    return to_a, to_b, to_c, to_d


_four_larger = inner(_four_larger_of, fastmath=SUMS)


def _few_scores(out, q, k, weights, slopes, q_len, k_len, width, heads, first, last):  # type: ignore[no-untyped-def]
    """The same scores for a slope between 0 and 1, without a pass over keys for their products."""
    rows = heads * q_len
    scores, v = carray(out, (rows, k_len)), carray(weights, (width,))
    queries, keys = carray(q, (rows, width)), carray(k, (heads, k_len, width))
    slope, end = np.float32(carray(slopes, (2,))[0]), k_len - 1
    for r in range(first, last):
        n, row = r // q_len, scores[r]
        for j in range(0, k_len, 4):
            at = j, min(j + 1, end), min(j + 2, end), min(j + 3, end)
            found = _four_larger(
                queries[r], v, slope, keys[n, at[0]], keys[n, at[1]], keys[n, at[2]],
                keys[n, at[3]],
            )  # fmt: skip
            for one in range(4):
                row[at[one]] = found[one]


_F, _D = types.float32, types.float64
few_scores = by_address(_few_scores, [_F, _F, _F, _F, _D], 6)
dots = by_address(_dots, [_D, _F, _F], 4, fastmath=SUMS)
scores = by_address(_scores, [_F, _F, _D, _F, _D, _F, _D], 6, fastmath=SUMS)
