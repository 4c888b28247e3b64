"""Softmax of sums of tanh and the weighted sum of values, for few queries over the same keys.

What the mask hides is not looked at, forward or backward. Values may lie in any order, as long as
each of them lies in one piece.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner
from regard._kernels.exponentials import exp_twice
from regard._kernels.tanh_loops import pair


def _sum_of(a, b):  # type: ignore[no-untyped-def]
    """The dot product of two rows."""
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


_dot = inner(_sum_of, fastmath=SUMS)


def _add_of(to, row, by):  # type: ignore[no-untyped-def]
    """Add a row times a number."""
    for i in range(len(to)):
        to[i] += by * row[i]


_add = inner(_add_of, are_apart=True, fastmath=SUMS)


def _forward(  # type: ignore[no-untyped-def]
    out, weights, values, permitted, e, far_e, q, f, far_f, k, v,
    q_len, k_len, width, value_dim, heads, groups, kv_heads, per_batch, per_head, per_key,
    first, last,
):  # fmt: skip
    """Output and weights of the queries `first..last`, those of all heads one after the other."""
    rows, sources = heads * q_len, heads // groups
    found, shares = carray(out, (rows, value_dim)), carray(weights, (rows, k_len))
    is_open, by = carray(permitted, (rows, k_len)), carray(v, (width,))
    queries, is_far = carray(e, (rows, width)), carray(far_e, (rows,))
    keys, are_far = carray(f, (sources, k_len, width)), carray(far_f, (sources, k_len))
    raw, all_raw = carray(q, (rows, width)), carray(k, (sources, k_len, width))
    span = sources // kv_heads * per_batch + kv_heads * per_head + k_len * per_key + value_dim
    given = carray(values, (span,))
    powers, ones = np.empty(max(width, k_len), np.int32), np.ones(width, np.float32)
    near, none = np.empty(width, np.float32), np.zeros(k_len, np.float32)
    halves, powers_of_two = np.empty(k_len, np.float32), np.empty(k_len, np.float32)
    seen = np.empty(k_len, np.int64)
    for r in range(first, last):
        n = r // q_len // groups
        start = n // kv_heads * per_batch + n % kv_heads * per_head
        count = 0
        for j in range(k_len):
            shares[r, j] = np.float32(0)
            if is_open[r, j]:
                seen[count] = j
                count += 1
        for d in range(value_dim):
            found[r, d] = np.float32(0)
        greatest = np.float32(-np.inf)
        for at in range(0, count, 2):
            beside = min(at + 1, count - 1)
            j, m = seen[at], seen[beside]
            if is_far[r] or are_far[n, j] or are_far[n, m]:
                exp_twice(near, powers[:width], raw[r], all_raw[n, j], 0)
                left = pair(ones, near, near, by)[0]
                exp_twice(near, powers[:width], raw[r], all_raw[n, m], 0)
                right = pair(ones, near, near, by)[1]
            else:
                left, right = pair(queries[r], keys[n, j], keys[n, m], by)
            # The score is a number that all share, less twice this sum.
            halves[at], halves[beside] = -left, -right
            greatest = max(greatest, max(-left, -right))
        for at in range(count):
            halves[at] -= greatest
        exp_twice(powers_of_two[:count], powers[:count], halves[:count], none[:count], 0)
        total = np.float32(0)
        for at in range(count):
            total += powers_of_two[at]
        for at in range(count):
            share = powers_of_two[at] / total
            shares[r, seen[at]] = share
            low = start + seen[at] * per_key
            _add(found[r], given[low : low + value_dim], share)


def _backward(  # type: ignore[no-untyped-def]
    to_scores, to_values, upstream, weights, values,
    q_len, k_len, value_dim, heads, groups, kv_heads, per_batch, per_head, per_key,
    first, last,
):  # fmt: skip
    """The gradients to the scores, and added to the values, of the sources `first..last`."""
    rows, sources = heads * q_len, heads // groups
    of_scores, shares = carray(to_scores, (rows, k_len)), carray(weights, (rows, k_len))
    of_values = carray(to_values, (sources, k_len, value_dim))
    upper = carray(upstream, (rows, value_dim))
    span = sources // kv_heads * per_batch + kv_heads * per_head + k_len * per_key + value_dim
    given = carray(values, (span,))
    for n in range(first, last):
        start = n // kv_heads * per_batch + n % kv_heads * per_head
        for r in range(n * groups * q_len, (n + 1) * groups * q_len):
            mean = np.float32(0)
            for j in range(k_len):
                of_scores[r, j] = np.float32(0)
                if shares[r, j] != 0:
                    low = start + j * per_key
                    of_scores[r, j] = _dot(upper[r], given[low : low + value_dim])
                    mean += shares[r, j] * of_scores[r, j]
                    _add(of_values[n, j], upper[r], shares[r, j])
            for j in range(k_len):
                if shares[r, j] != 0:
                    of_scores[r, j] = shares[r, j] * (of_scores[r, j] - mean)


_F, _B = types.float32, types.uint8
forward = by_address(_forward, [_F, _F, _F, _B, _F, _B, _F, _F, _B, _F, _F], 12, fastmath=SUMS)
backward = by_address(_backward, [_F, _F, _F, _F, _F], 11, fastmath=SUMS)
