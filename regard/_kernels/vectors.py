"""Vectors of numbers for Numba, and the few instructions on them that our loops are made of.

Numba finds vector instructions where a loop over arrays allows it, and nobody is told where it did
not. Here a vector is a value like any other, and each function is what the processor does.
"""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core import cgutils
from numba.core.config import CPU_FEATURES  # type: ignore[attr-defined]
from numba.extending import intrinsic, models, register_model

FEATURES = str(CPU_FEATURES or get_host_cpu_features().flatten())
LANES = 16 if "+avx512f" in FEATURES else 8
"""Numbers of a vector."""

SIZE, NUMBER, _BITS = ir.IntType(64), ir.FloatType(), ir.IntType(32)
REGISTER, _WHOLE = ir.VectorType(NUMBER, LANES), ir.VectorType(_BITS, LANES)
NUMBERS = types.CPointer(types.float32)


def in_loops(function: Callable[..., Any], **options: Any) -> Any:
    """A function for loops to call.

    What checks shapes in tests wraps every function, and Numba compiles none that is wrapped.
    """
    return njit(error_model="numpy", **options)(unwrap(function))


class _Vector(types.Type):
    """The type of a vector."""

    def __init__(self) -> None:
        super().__init__("vector")


VECTOR = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is a register."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, REGISTER)


def place(builder: Any, pointer: Any, *offsets: Any) -> Any:
    """Where the vector so far behind an address begins."""
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return builder.bitcast(pointer, REGISTER.as_pointer())


def constant(number: float) -> Any:
    return ir.Constant(REGISTER, [number] * LANES)


def written_spread(builder: Any, number: Any) -> Any:
    unknown = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(unknown, number, _BITS(0))
    return builder.shuffle_vector(first, unknown, ir.Constant(_WHOLE, [0] * LANES))


def written_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(REGISTER, [REGISTER] * 3)
    name = f"llvm.fma.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


_ROUNDS = 1.5 * 2**23
"""What is added to find the nearest whole number, which then stands in the last bits of the sum."""

_POWERS = (
    1.535336e-04, 1.3398875e-03, 9.618437e-03, 5.5503324e-02, 2.4022648e-01, 6.931472e-01, 1.0,
)  # fmt: skip
"""Of the polynomial that is nearest `2^x` from -1/2 to 1/2, the highest power first."""


def _power(builder: Any, shifted: Any, rest: Any) -> Any:
    """Two to a whole number, in the last bits of `shifted`, and the rest."""
    return builder.fmul(_series(builder, rest, _POWERS), _octaves(builder, shifted))


def _series(builder: Any, x: Any, factors: tuple[float, ...]) -> Any:
    total = constant(factors[0])
    for factor in factors[1:]:
        total = written_fma(builder, total, x, constant(factor))
    return total


def _octaves(builder: Any, shifted: Any) -> Any:
    """Two to the whole number in the last bits."""
    shift, bias = (ir.Constant(_WHOLE, [n] * LANES) for n in (23, 127 << 23))
    exponent = builder.shl(builder.bitcast(shifted, _WHOLE), shift)
    return builder.bitcast(builder.add(exponent, bias), REGISTER)


def _exp2(builder: Any, x: Any, least: float = -126.0) -> Any:
    shifted = builder.fadd(x, constant(_ROUNDS))
    rest = builder.fsub(x, builder.fsub(shifted, constant(_ROUNDS)))
    small = builder.fcmp_ordered("<", x, constant(least))
    return builder.select(small, constant(0.0), _power(builder, shifted, rest))


_TWICE, _TWICE_REST = 2.885390043258667, 3.851925e-08
"""`2 / log 2` in two parts."""


def _octaves_twice(builder: Any, x: Any) -> tuple[Any, Any]:
    """`2x / log 2` as a whole number, in the last bits of the first, and what is left of it."""
    twice, rounds = constant(_TWICE), constant(_ROUNDS)
    shifted = written_fma(builder, x, twice, rounds)
    whole = builder.fsub(shifted, rounds)
    rest = written_fma(builder, x, twice, builder.fneg(whole))
    return shifted, written_fma(builder, x, constant(_TWICE_REST), rest)


def _exp_twice(builder: Any, x: Any) -> Any:
    for sign, limit in (("<", constant(43.5)), (">", constant(-43.5))):
        x = builder.select(builder.fcmp_ordered(sign, x, limit), x, limit)
    return _power(builder, *_octaves_twice(builder, x))


def _tanh(builder: Any, x: Any) -> Any:
    """`E / (E + 2)` with `E = e^2x - 1`, of which no digit is lost where x is small."""
    for sign, limit in ((">", constant(43.5)), ("<", constant(-43.5))):
        x = builder.select(builder.fcmp_ordered(sign, x, limit), limit, x)
    shifted, rest = _octaves_twice(builder, x)
    less = builder.fmul(_series(builder, rest, _POWERS[:-1]), rest)
    octaves = _octaves(builder, shifted)
    less = written_fma(builder, octaves, less, builder.fsub(octaves, constant(1.0)))
    return builder.fdiv(less, builder.fadd(less, constant(2.0)))


def _logistic2(builder: Any, x: Any) -> Any:
    """`1 / (1 + t)` or `t / (1 + t)` with t at most 1, so that nothing overflows."""
    negative = builder.fcmp_ordered("<", x, constant(0.0))
    t = _exp2(builder, builder.select(negative, x, builder.fneg(x)))
    above = builder.select(negative, t, constant(1.0))
    return builder.fdiv(above, builder.fadd(constant(1.0), t))


def _any_larger(builder: Any, a: Any, b: Any) -> Any:
    mask = ir.IntType(LANES)
    return builder.icmp_unsigned(
        "!=", builder.bitcast(builder.fcmp_ordered(">", a, b), mask), mask(0)
    )


def _sum_of(builder: Any, x: Any) -> Any:
    total = builder.extract_element(x, _BITS(0))
    for i in range(1, LANES):
        total = builder.fadd(total, builder.extract_element(x, _BITS(i)))
    return total


def _turn(builder: Any, to: Any, to_row: Any, x: Any, x_row: Any) -> None:
    """Rows become columns: of every pair of rows, step by step, halves change places."""
    rows = [
        builder.load(place(builder, x, builder.mul(x_row, SIZE(i))), align=4) for i in range(LANES)
    ]
    step = LANES // 2
    while step:
        near = [n + LANES - step if n & step else n for n in range(LANES)]
        far = [n + LANES if n & step else n + step for n in range(LANES)]
        for i in range(LANES):
            if not i & step:
                pair = rows[i], rows[i + step]
                rows[i] = builder.shuffle_vector(*pair, ir.Constant(_WHOLE, near))
                rows[i + step] = builder.shuffle_vector(*pair, ir.Constant(_WHOLE, far))
        step //= 2
    for i, row in enumerate(rows):
        builder.store(row, place(builder, to, builder.mul(to_row, SIZE(i))), align=4)


def instruction(write: Any, result: Any, *kinds: Any) -> Any:
    """A function for Numba that is what `write(builder, *given)` writes."""

    def written(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = write(builder, *given)
        return context.get_dummy_value() if result is types.void else found

    answer = result(*kinds), written
    by_count = {  # Numba reads how many arguments there are from the function itself
        1: lambda typing, a: answer,
        2: lambda typing, a, b: answer,
        3: lambda typing, a, b, c: answer,
        4: lambda typing, a, b, c, d: answer,
        7: lambda typing, a, b, c, d, e, f, g: answer,
        8: lambda typing, a, b, c, d, e, f, g, h: answer,
    }
    return intrinsic(by_count[len(kinds)])


at = instruction(lambda builder, p, n: builder.gep(p, [n]), NUMBERS, NUMBERS, types.intp)
"""The address of the number so many behind another."""

load = instruction(lambda builder, p: builder.load(place(builder, p), align=4), VECTOR, NUMBERS)
store = instruction(
    lambda builder, x, p: builder.store(x, place(builder, p), align=4), types.void, VECTOR, NUMBERS
)
spread = instruction(written_spread, VECTOR, types.float32)
plus = instruction(lambda builder, a, b: builder.fadd(a, b), VECTOR, VECTOR, VECTOR)
minus = instruction(lambda builder, a, b: builder.fsub(a, b), VECTOR, VECTOR, VECTOR)
times = instruction(lambda builder, a, b: builder.fmul(a, b), VECTOR, VECTOR, VECTOR)

fma = instruction(written_fma, VECTOR, VECTOR, VECTOR, VECTOR)
"""`a b + c`, rounded once."""

larger = instruction(
    lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b),
    VECTOR, VECTOR, VECTOR,
)  # fmt: skip
"""The larger of two numbers; the second one where one of them is none."""

unless_zero = instruction(
    lambda builder, w, x: builder.select(
        builder.fcmp_ordered("==", w, constant(0.0)), constant(0.0), x
    ),
    VECTOR, VECTOR, VECTOR,
)  # fmt: skip
"""The second number, zero where the first is, whatever the second holds."""

exp2 = instruction(_exp2, VECTOR, VECTOR)
"""`2^x` of numbers up to 127, off by one unit of the last place; 0 where it would be subnormal."""

weight2 = instruction(lambda builder, x: _exp2(builder, x, -100.0), VECTOR, VECTOR)
"""The same, and 0 below -100, which beside a 1 is nothing: its products are no subnormal numbers
either, at each of which a processor stops.
"""

exp_twice = instruction(_exp_twice, VECTOR, VECTOR)
"""`e^2x` as near; of numbers beyond 43.5 and of what is none, that of 43.5."""

tanh = instruction(_tanh, VECTOR, VECTOR)
"""Off by three units of the last place; NaN stays what it is."""

logistic2 = instruction(_logistic2, VECTOR, VECTOR)
"""`1 / (1 + 2^-x)`; 0 below -126, and NaN stays what it is."""

any_larger = instruction(_any_larger, types.boolean, VECTOR, VECTOR)
"""Whether any number is larger than the other one in its place."""

numbers_at = instruction(
    lambda builder, a: builder.inttoptr(a, NUMBER.as_pointer()), NUMBERS, types.int64
)
"""The address that a whole number is."""

sum_of = instruction(_sum_of, types.float32, VECTOR)
"""The sum of a vector's numbers."""

turn = instruction(_turn, types.void, NUMBERS, types.intp, NUMBERS, types.intp)
"""`to[i to_row + j] = x[j x_row + i]`, a square of vectors."""


def _numbers_of(typing: Any, array: Any) -> Any:

    def written(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        missing = builder.and_(builder.neg(builder.ptrtoint(data, SIZE)), SIZE(63))
        return builder.gep(data, [builder.lshr(missing, SIZE(2))])

    return NUMBERS(array), written


numbers_of: Any = intrinsic(unwrap(_numbers_of))
"""The address in an array where a vector may begin; the array must stay in use."""
