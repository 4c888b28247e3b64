"""`sum v tanh(q + k)` of all pairs of a query and a key, and its gradients, without a tanh.

With `E = exp(2q) exp(2k)` and `r = 1 / (1 + E)`,

    tanh(q + k) = 1 - 2r          d tanh(q + k) = 4 r (1 - r)

Where `E` is nothing, or infinite, the score is exact. In the gradients two keys share a quotient,
`1 / (xy)`, because it takes as long as ten products on many machines; `E` is kept below 1e18 there,
so that `xy` is finite, and what that leaves of `r` is nothing.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner
from regard._kernels.exponentials import FLAT, exp_twice

_GREATEST = np.float32(1e18)
_QUERIES, _KEYS, _WIDTH = 32, 32, 512
"""A block whose keys, and what is added to their gradients, stay near to the core.

Gradients are sums over blocks of sums within one, whose roundings stay small.
"""


def _pair_of(e, f, g, v):  # type: ignore[no-untyped-def]
    """`sum v / (1 + e f)` and `sum v / (1 + e g)`."""
    one, to_f, to_g = np.float32(1), np.float32(0), np.float32(0)
    for i in range(len(v)):
        to_f += v[i] / (one + e[i] * f[i])
        to_g += v[i] / (one + e[i] * g[i])
    return to_f, to_g


pair = inner(_pair_of, fastmath=SUMS)


def _scores(  # type: ignore[no-untyped-def]
    out, e, far_e, q, f, far_f, k, weights, q_len, k_len, width, heads, first, last
):
    """The scores of the queries `first..last`, those of all heads one after the other."""
    rows = heads * q_len
    scores, v = carray(out, (rows, k_len)), carray(weights, (width,))
    queries, is_far = carray(e, (rows, width)), carray(far_e, (rows,))
    keys, are_far = carray(f, (heads, k_len, width)), carray(far_f, (heads, k_len))
    raw, all_raw = carray(q, (rows, width)), carray(k, (heads, k_len, width))
    powers, ones = np.empty(width, np.int32), np.ones(width, np.float32)
    near = np.empty(width, np.float32)
    whole = np.float64(0)
    for i in range(width):
        whole += np.float64(v[i])
    for r in range(first, last):
        n = r // q_len
        for j in range(0, k_len, 2):
            m = min(j + 1, k_len - 1)
            if is_far[r] or are_far[n, j] or are_far[n, m]:
                exp_twice(near, powers, raw[r], all_raw[n, j], 0)
                left = pair(ones, near, near, v)[0]
                exp_twice(near, powers, raw[r], all_raw[n, m], 0)
                right = pair(ones, near, near, v)[1]
            else:
                left, right = pair(queries[r], keys[n, j], keys[n, m], v)
            scores[r, j] = np.float32(whole - 2 * np.float64(left))
            scores[r, m] = np.float32(whole - 2 * np.float64(right))


def _add_gradients_of(to_q, to_v, to_f, to_g, e, f, g, by_f, by_g):  # type: ignore[no-untyped-def]
    """Add what two pairs give: `by (1/2 - r)` to `v`, `by r (1 - r)` to the query and its key."""
    one, half = np.float32(1), np.float32(0.5)
    for i in range(len(e)):
        a, b = e[i] * f[i], e[i] * g[i]
        a = _GREATEST if a > _GREATEST else a
        b = _GREATEST if b > _GREATEST else b
        x, y = one + a, one + b
        both = one / (x * y)
        r, s = both * y, both * x
        to_v[i] += by_f * (half - r) + by_g * (half - s)
        # From the smaller of r and 1 - r, which is e f r, because the difference of one and
        # the greater has few digits.
        a, b = a * r, b * s
        r = r if r < a else a
        s = s if s < b else b
        r, s = by_f * (r - r * r), by_g * (s - s * s)
        to_q[i] += r + s
        to_f[i] += r
        to_g[i] += s


_add_gradients = inner(_add_gradients_of, are_apart=True, fastmath=SUMS)


def _add_far_gradients_of(to_q, to_v, to_f, near, by):  # type: ignore[no-untyped-def]
    """The same of one pair with its own exponentials, where a unit that is saturated has none.

    What float32 leaves of such a unit's slope is not nothing, times a vector of 1e38.
    """
    one, half, least = np.float32(1), np.float32(0.5), np.float32(FLAT)
    for i in range(len(near)):
        r = one / (one + near[i])
        slope = r * (near[i] * r)
        found = by * slope if slope > least else np.float32(0)
        to_v[i] += by * (half - r)
        to_q[i] += found
        to_f[i] += found


_add_far_gradients = inner(_add_far_gradients_of, are_apart=True, fastmath=SUMS)


def _move_of(to, row, by):  # type: ignore[no-untyped-def]
    """Add the product of two rows, in the precision of the second, and leave zeros in the first."""
    for i in range(len(to)):
        to[i] += by[i] * row[i]
        row[i] = np.float32(0)


_move = inner(_move_of, are_apart=True, fastmath=SUMS)


def _gradients(  # type: ignore[no-untyped-def]
    to_query, to_key, to_weights, upstream, e, far_e, q, f, far_f, k, weights,
    q_len, k_len, width, heads, first, last,
):  # fmt: skip
    """The gradients of `first..last`: of each head so many columns, which are sums of their own.

    They are added to what is there, to the weights in a row for each head.
    """
    upper = carray(upstream, (heads, q_len, k_len))
    queries, is_far = carray(e, (heads, q_len, width)), carray(far_e, (heads, q_len))
    keys, are_far = carray(f, (heads, k_len, width)), carray(far_f, (heads, k_len))
    raw, all_raw = carray(q, (heads, q_len, width)), carray(k, (heads, k_len, width))
    all_q, all_k = carray(to_query, (heads, q_len, width)), carray(to_key, (heads, k_len, width))
    all_v, v = carray(to_weights, (heads, width)), carray(weights, (width,))
    by_v, twice = np.empty(width, np.float32), np.full(_WIDTH, np.float64(2))
    for i in range(width):
        by_v[i] = np.float32(4) * v[i]
    of_keys, of_query = np.zeros((_KEYS, _WIDTH), np.float32), np.zeros(_WIDTH, np.float32)
    of_v, spare = np.zeros(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)
    powers, near, nothing = np.empty(_WIDTH, np.int32), np.empty(_WIDTH, np.float32), np.float32(0)
    blocks = (width + _WIDTH - 1) // _WIDTH
    for item in range(first, last):
        n, low = item // blocks, item % blocks * _WIDTH
        high = min(low + _WIDTH, width)
        size = high - low
        for q_start in range(0, q_len, _QUERIES):
            for start in range(0, k_len, _KEYS):
                stop = min(start + _KEYS, k_len)
                for i in range(q_start, min(q_start + _QUERIES, q_len)):
                    for j in range(start, stop, 2):
                        m = min(j + 1, stop - 1)
                        by_f = upper[n, i, j]
                        by_g = upper[n, i, m] if m > j else nothing
                        if by_f == 0 and by_g == 0:
                            continue
                        to_f = of_keys[j - start]
                        to_g = of_keys[m - start] if m > j else spare
                        if is_far[n, i] or are_far[n, j] or are_far[n, m]:
                            for here, by, to in ((j, by_f, to_f), (m, by_g, to_g)):
                                exp_twice(
                                    near[:size], powers[:size], raw[n, i, low:high],
                                    all_raw[n, here, low:high], 1,
                                )  # fmt: skip
                                _add_far_gradients(of_query, of_v, to, near[:size], by)
                        else:
                            _add_gradients(
                                of_query, of_v, to_f, to_g, queries[n, i, low:high],
                                keys[n, j, low:high], keys[n, m, low:high], by_f, by_g,
                            )  # fmt: skip
                    _move(all_q[n, i, low:high], of_query, by_v[low:high])
                    _move(all_v[n, low:high], of_v, twice)
                for j in range(start, stop):
                    _move(all_k[n, j, low:high], of_keys[j - start], by_v[low:high])


_F, _B, _D = types.float32, types.uint8, types.float64
scores = by_address(_scores, [_F, _F, _B, _F, _F, _B, _F, _F], 6, fastmath=SUMS)
gradients = by_address(_gradients, [_F, _F, _D, _F, _F, _B, _F, _F, _B, _F, _F], 6, fastmath=SUMS)
