"""The gradients of `sum v LeakyReLU(q + k)` of all pairs of a query and a key.

With a slope `s` below zero its derivative is `s + (1 - s) [x > 0]`, and nothing else but `v`: a
number of a pair costs a comparison, and two sums where it holds. The gradient to `v` needs no pass
over pairs, because `LeakyReLU(x)` is `x` times its derivative: it is the sum of queries and keys,
each times its own gradient over `v`.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner

_QUERIES, _KEYS, _WIDTH = 32, 32, 512
"""A block whose keys, and what is added to their gradients, stay near to the core."""


def _add_of(to_q, q, to_a, to_b, to_c, to_d, a, b, c, d, by_a, by_b, by_c, by_d):  # type: ignore[no-untyped-def]
    """Add the gradients of four pairs to the query's and the keys', where `q` is above `-k`."""
    none = np.float32(0)
    for i in range(len(q)):
        one = by_a if q[i] > a[i] else none
        two = by_b if q[i] > b[i] else none
        three = by_c if q[i] > c[i] else none
        four = by_d if q[i] > d[i] else none
        to_a[i] += one
        to_b[i] += two
        to_c[i] += three
        to_d[i] += four
        to_q[i] += (one + two) + (three + four)


_add = inner(_add_of, are_apart=True, fastmath=SUMS)


def _move_of(to, row):  # type: ignore[no-untyped-def]
    """Add a row, and leave zeros in it."""
    for i in range(len(to)):
        to[i] += row[i]
        row[i] = np.float32(0)


_move = inner(_move_of, are_apart=True, fastmath=SUMS)


def _finish_of(total, to, x, moved, shared, by, v):  # type: ignore[no-untyped-def]
    """Make a row's gradient from the sum where it is above, and add what it gives to `v`."""
    for i in range(len(to)):
        found = shared + by * to[i]
        total[i] += np.float64((x[i] + moved[i]) * found)
        to[i] = found * v[i]


_finish = inner(_finish_of, are_apart=True, fastmath=SUMS)


def _move_between(moved, x, has_gradient):  # type: ignore[no-untyped-def]
    """The mean of the rows that have a gradient; zero where there is none."""
    count = 0
    moved[:] = 0
    for r in range(len(x)):
        if has_gradient[r]:
            count += 1
            for i in range(len(moved)):
                moved[i] += x[r, i]
    for i in range(len(moved)):
        mean = moved[i] / np.float32(max(count, 1))
        moved[i] = mean if abs(mean) < np.inf else np.float32(0)


_mean = inner(_move_between, fastmath=SUMS)


def _gradients(  # type: ignore[no-untyped-def]
    to_query, to_key, to_weights, upstream, q, k, negated, weights, slopes,
    q_len, k_len, width, heads, first, last,
):  # fmt: skip
    """The gradients of `first..last`: of each head so many columns, which are sums of their own.

    They are added to what is there, zeros; those to the weights are in a row for each head.
    """
    upper = carray(upstream, (heads, q_len, k_len))
    queries, keys = carray(q, (heads, q_len, width)), carray(k, (heads, k_len, width))
    below = carray(negated, (heads, k_len, width))
    all_q, all_k = carray(to_query, (heads, q_len, width)), carray(to_key, (heads, k_len, width))
    all_v, v = carray(to_weights, (heads, width)), carray(weights, (width,))
    s = carray(slopes, (2,))[0]
    of_keys, of_query = np.zeros((_KEYS + 4, _WIDTH), np.float32), np.zeros(_WIDTH, np.float32)
    by_row, by_column = np.empty(q_len, np.float64), np.empty(k_len, np.float64)
    by, blocks = np.zeros(4, np.float32), (width + _WIDTH - 1) // _WIDTH
    at, to = np.zeros(4, np.int64), np.zeros(4, np.int64)
    middle, above = np.empty(_WIDTH, np.float32), np.float32(carray(slopes, (2,))[1])
    has_row, has_column = np.empty(q_len, np.bool_), np.empty(k_len, np.bool_)
    for item in range(first, last):
        n, low = item // blocks, item % blocks * _WIDTH
        high = min(low + _WIDTH, width)
        by_column[:], has_column[:], has_row[:] = 0, False, False
        for i in range(q_len):
            total = np.float64(0)
            for j in range(k_len):
                given = upper[n, i, j]
                total += np.float64(given)
                by_column[j] += np.float64(given)
                has_column[j] |= given != 0
                has_row[i] |= given != 0
            by_row[i] = total
        for q_start in range(0, q_len, _QUERIES):
            for start in range(0, k_len, _KEYS):
                stop = min(start + _KEYS, k_len)
                for i in range(q_start, min(q_start + _QUERIES, q_len)):
                    for j in range(start, stop, 4):
                        for one in range(4):
                            # What has no key is added to rows that nobody reads.
                            is_key = j + one < stop
                            at[one] = j + one if is_key else j
                            to[one] = j + one - start if is_key else _KEYS + one
                            by[one] = upper[n, i, j + one] if is_key else np.float32(0)
                        if by[0] == 0 and by[1] == 0 and by[2] == 0 and by[3] == 0:
                            continue
                        _add(
                            of_query, queries[n, i, low:high], of_keys[to[0]], of_keys[to[1]],
                            of_keys[to[2]], of_keys[to[3]], below[n, at[0], low:high],
                            below[n, at[1], low:high], below[n, at[2], low:high],
                            below[n, at[3], low:high], by[0], by[1], by[2], by[3],
                        )  # fmt: skip
                    _move(all_q[n, i, low:high], of_query)
                for j in range(start, stop):
                    _move(all_k[n, j, low:high], of_keys[j - start])
        # Moving queries and keys against each other changes no sum, and leaves smaller ones.
        moved = middle[: high - low]
        _mean(moved, queries[n, :, low:high], has_row)
        for j in range(k_len):
            if has_column[j]:
                _finish(
                    all_v[n, low:high], all_k[n, j, low:high], keys[n, j, low:high], moved,
                    np.float32(s * by_column[j]), above, v[low:high],
                )  # fmt: skip
        for d in range(high - low):
            moved[d] = -moved[d]
        for i in range(q_len):
            if has_row[i]:
                _finish(
                    all_v[n, low:high], all_q[n, i, low:high], queries[n, i, low:high], moved,
                    np.float32(s * by_row[i]), above, v[low:high],
                )  # fmt: skip


_F, _D = types.float32, types.float64
gradients = by_address(_gradients, [_F, _F, _D, _F, _F, _F, _F, _F, _D], 6, fastmath=SUMS)
