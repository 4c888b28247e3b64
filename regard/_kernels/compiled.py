"""The loops themselves, compiled by Numba when they are first needed; called by address.

Sums of floats may be taken in any order, so that they become vector instructions; NaN and infinity
stay what they are, and nothing else is reordered. Whole numbers are cast at every step, because
Numba would widen them to 64 bits and the instructions for bytes would not fit.
"""

from inspect import unwrap

import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address

_INFINITY = 0x7F800000
"""Its bits; those of NaN are above, without their sign, and those of all other numbers below."""


def _step_of(bits):  # type: ignore[no-untyped-def]
    """What a row counts in: its greatest number over 127; NaN where not all are finite.

    Without their sign the bits of numbers are ordered as the numbers are, infinity and NaN last.
    """
    greatest = np.int32(0)
    for i in range(len(bits)):
        greatest = max(greatest, np.int32(bits[i] & np.int32(0x7FFFFFFF)))
    if greatest >= _INFINITY:
        return np.float32(np.nan)
    number = np.empty(1, np.int32)
    number[0] = greatest
    return max(number.view(np.float32)[0] / np.float32(127), np.float32(1e-30))


# What checks shapes in tests wraps every function, and Numba compiles none that is wrapped.
_step = njit(error_model="numpy")(unwrap(_step_of))


def _float32_rows(out, given, weights, added, has_bias, rows, inputs, outputs, first, last):  # type: ignore[no-untyped-def]
    """`out[r, o] = sum_i given[r, i] weights[o, i] + added[o]` for the outputs `first..last`."""
    y, x = carray(out, (rows, outputs)), carray(given, (rows, inputs))
    w, b = carray(weights, (outputs, inputs)), carray(added, (outputs,))
    # One row waits for memory alone, which gives more where it is asked in two places at once.
    half = (last - first) // 2 if rows == 1 else 0
    for o in range(first, first + half):
        near, far, one = w[o], w[o + half], x[0]
        total, other = np.float32(0), np.float32(0)
        for i in range(inputs):
            total += near[i] * one[i]
            other += far[i] * one[i]
        y[0, o] = total + b[o] if has_bias else total
        y[0, o + half] = other + b[o + half] if has_bias else other
    for o in range(first + 2 * half, last):
        bias = b[o] if has_bias else np.float32(0)
        for r in range(rows):
            total = np.float32(0)
            for i in range(inputs):
                total += w[o, i] * x[r, i]
            y[r, o] = total + bias


def _int8_rows(  # type: ignore[no-untyped-def]
    out, given, weights, steps, added, has_bias, rows, inputs, outputs, first, last
):
    """The equation of `DynamicInt8Linear` for the outputs `first..last`."""
    y, bits = carray(out, (rows, outputs)), carray(given, (rows, inputs))
    w, t = carray(weights, (outputs, inputs)), carray(steps, (outputs,))
    b, x = carray(added, (outputs,)), bits.view(np.float32)
    whole, s = np.empty((rows, inputs), np.int8), np.empty(rows, np.float32)
    for r in range(rows):
        s[r] = _step(bits[r])
        if np.isnan(s[r]):
            whole[r] = 0
            continue
        per_step = np.float32(1) / s[r]
        for i in range(inputs):
            whole[r, i] = np.int8(np.rint(x[r, i] * per_step))
    for o in range(first, last):
        for r in range(rows):
            total = np.int32(0)
            for i in range(inputs):
                product = np.int32(np.int32(w[o, i]) * np.int32(whole[r, i]))
                total = np.int32(total + product)
            found = np.float32(total) * t[o] * s[r]
            y[r, o] = found + b[o] if has_bias else found


def _bytes_of_rows(out, steps, given, inputs, rows, first, last):  # type: ignore[no-untyped-def]
    """How many steps each number is, above 128, and what a step is, for the rows `first..last`."""
    whole, s = carray(out, (rows, inputs)), carray(steps, (rows,))
    bits = carray(given, (rows, inputs))
    x = bits.view(np.float32)
    for r in range(first, last):
        s[r] = _step(bits[r])
        if np.isnan(s[r]):
            whole[r] = 128
            continue
        per_step = np.float32(1) / s[r]
        for i in range(inputs):
            whole[r, i] = np.uint8(np.int32(np.rint(x[r, i] * per_step)) + np.int32(128))


_F, _I = types.float32, types.int32
float32_rows = by_address(_float32_rows, [_F, _F, _F, _F], 6, fastmath=SUMS)
int8_rows = by_address(_int8_rows, [_F, _I, types.int8, _F, _F], 6)
bytes_of_rows = by_address(_bytes_of_rows, [types.uint8, _F, _I], 4)
