"""Powers of doubles by plain arithmetic, which becomes vector instructions in a loop.

`x^p = 2^(p log2 x)`: with `x = 2^e m` and m from 1/√2 to √2, `log2 m` is a series in
`(m - 1) / (m + 1)`; `2^y` is a whole number of octaves and a series. Calls of a library, which take
eight times as long, stay calls.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types

from regard._kernels.by_address import inner
from regard._kernels.vectors import SIZE, instruction

_DOUBLE = ir.DoubleType()
_bits = instruction(lambda builder, x: builder.bitcast(x, SIZE), types.int64, types.float64)
_number = instruction(lambda builder, x: builder.bitcast(x, _DOUBLE), types.float64, types.int64)

_WHOLE = 0x4330000000000000
"""The bits of 2^52, behind whose last digit a whole number stands as it is."""

_ROOT = 0x3FE6A09E667F3BCD
"""Those of 1/√2, from which on mantissas are counted."""

_FRACTION, _ROUNDS, _ONE = (1 << 52) - 1, 1.5 * 2.0**52, 1023 << 52
_LOG = tuple(2 / math.log(2) / n for n in range(17, 0, -2))
_EXP = tuple(math.log(2) ** n / math.factorial(n) for n in range(12, -1, -1))


def _power_of(x, p):  # type: ignore[no-untyped-def]
    """x^p for a normal number above zero, and p above zero; 0 where it would be subnormal."""
    away = np.int64(_bits(x) - np.int64(_ROOT))
    octave = _number(np.int64(((away >> 52) + 1024) | np.int64(_WHOLE))) - (2.0**52 + 1024.0)
    m = _number(np.int64((away & np.int64(_FRACTION)) + np.int64(_ROOT)))
    z = (m - 1.0) / (m + 1.0)
    s = z * z
    y = _LOG[0]
    for factor in _LOG[1:]:
        y = y * s + factor
    y = p * (octave + y * z)
    within = y if y > -1020.0 else -1020.0
    shifted = within + _ROUNDS
    rest = within - (shifted - _ROUNDS)
    power = _EXP[0]
    for factor in _EXP[1:]:
        power = power * rest + factor
    power *= _number(np.int64((_bits(shifted) << 52) + np.int64(_ONE)))
    return power if y > -1020.0 else 0.0


power = inner(_power_of, fastmath={"contract"})
