"""The loops themselves, compiled by Numba when they are first needed; called by address.

Floats may be summed in any order, so that the loops become vector instructions; NaN and infinity
stay what they are. Whole numbers are cast at every step, because Numba would widen them to 64 bits
and the instructions for bytes would not fit.
"""

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_ssize_t, c_void_p
from typing import Any

import numpy as np
from numba import carray, cfunc, types  # type: ignore[attr-defined]

_SUMS = {"reassoc", "contract", "nsz"}
_AT = types.CPointer
_SIZE = types.intp
_NOT_FINITE = 0x7F800000
"""Without their sign, the bits of infinity; those of NaN are above, all other numbers below."""


def _float32_rows(out, given, weights, added, has_bias, rows, inputs, outputs, first, last):  # type: ignore[no-untyped-def]
    """`out[r, o] = sum_i given[r, i] weights[o, i] + added[o]` for the outputs `first..last`."""
    y, x = carray(out, (rows, outputs)), carray(given, (rows, inputs))
    w, b = carray(weights, (outputs, inputs)), carray(added, (outputs,))
    for o in range(first, last):
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
    b = carray(added, (outputs,))
    x = bits.view(np.float32)
    whole, s = np.empty((rows, inputs), np.int8), np.empty(rows, np.float32)
    for r in range(rows):
        greatest = np.int32(0)
        for i in range(inputs):
            greatest = max(greatest, np.int32(bits[r, i] & np.int32(0x7FFFFFFF)))
        if greatest >= _NOT_FINITE:
            s[r] = np.float32(np.nan)
            whole[r] = 0
            continue
        s.view(np.int32)[r] = greatest
        s[r] = max(s[r] / np.float32(127), np.float32(1e-30))
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


def _compiled(loop: Callable[..., None], *pointers: Any) -> Any:
    """The address of a loop as something to call, which lets go of the interpreter meanwhile."""
    sizes = 6
    signature = types.void(*[_AT(kind) for kind in pointers], *[_SIZE] * sizes)
    options: dict[str, Any] = {"fastmath": _SUMS, "error_model": "numpy"}
    try:
        made = cfunc(signature, cache=True, **options)(loop)
    except RuntimeError:  # there is no folder that it may be kept in
        made = cfunc(signature, **options)(loop)
    kind = CFUNCTYPE(None, *[c_void_p] * len(pointers), *[c_ssize_t] * sizes)
    _KEPT.append(made)
    address: Any = made.address
    return kind(address)


_KEPT: list[Any] = []
"""What the addresses belong to."""

float32_rows = _compiled(_float32_rows, *[types.float32] * 4)
int8_rows = _compiled(
    _int8_rows, types.float32, types.int32, types.int8, types.float32, types.float32
)
