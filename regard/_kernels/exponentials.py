"""`exp(2x)` of rows, for loops in which `tanh(q + k) = 1 - 2 / (1 + exp(2q) exp(2k))`.

With the exponentials taken once for each query and each key, a pair costs a product, a sum and a
quotient. They are clamped, so that no product is zero times infinity; where that changes a number
the row is marked as *far*, and its pairs take `exp(2 (q + k))` instead, each by itself. So are rows
with NaN, of which pairs that share a quotient would both be none.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import by_address, inner

_ORDER = {"contract", "nsz"}  # the logarithm of two is subtracted in two parts, in this order
_LIMIT = np.float32(87)  # below and above it float32 has no normal numbers for an exponential
_PER_OCTAVE = np.float32(1.44269504)
_OCTAVE, _REST = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LIMIT_OF_ROWS = np.float32(43.5)
FLAT = np.float32(1e-18)
"""A quarter of a slope of tanh up to which far from zero there is none."""
_P0, _P1, _P2 = (
    np.float32(1.9875691500e-4),
    np.float32(1.3981999507e-3),
    np.float32(8.3334519073e-3),
)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(0.5)


def _exp_twice_of(out, powers, x, added, is_clean):  # type: ignore[no-untyped-def]
    """`out = exp(2 (x + added))`, the exponent clamped; NaN counts as zero where it is clean.

    Args:
        powers: room for as many whole numbers.
    """
    one = np.float32(1)
    for i in range(len(x)):
        y = x[i] + added[i]
        y = y + y
        if is_clean:
            y = y if y == y else np.float32(0)
        y = _LIMIT if y > _LIMIT else y
        y = -_LIMIT if y < -_LIMIT else y
        octaves = np.rint(y * _PER_OCTAVE)
        y = (y - octaves * _OCTAVE) - octaves * _REST
        series = ((((_P0 * y + _P1) * y + _P2) * y + _P3) * y + _P4) * y + _P5
        out[i] = series * (y * y) + y + one
        powers[i] = np.int32(np.int32(np.int32(octaves) + np.int32(127)) << np.int32(23))
    scales = powers.view(np.float32)
    for i in range(len(x)):
        out[i] *= scales[i]


exp_twice = inner(_exp_twice_of, are_apart=True, fastmath=_ORDER)


def _is_far_of(x):  # type: ignore[no-untyped-def]
    """Whether the clamp changes a number of this row, or it holds NaN."""
    near = np.int32(0)
    for i in range(len(x)):
        size = x[i] if x[i] > 0 else -x[i]
        near = np.int32(near + (np.int32(1) if size <= _LIMIT_OF_ROWS else np.int32(0)))
    return near < len(x)


is_far = inner(_is_far_of, fastmath=_ORDER)


def _exponentials(out, far, given, width, rows, first, last):  # type: ignore[no-untyped-def]
    """`exp(2x)` of the rows `first..last`, and which of them are far."""
    e, x, marks = carray(out, (rows, width)), carray(given, (rows, width)), carray(far, (rows,))
    powers, nothing = np.empty(width, np.int32), np.zeros(width, np.float32)
    for r in range(first, last):
        exp_twice(e[r], powers, x[r], nothing, 0)
        marks[r] = np.uint8(is_far(x[r]))


_F = types.float32
exponentials = by_address(_exponentials, [_F, types.uint8, _F], 4)
