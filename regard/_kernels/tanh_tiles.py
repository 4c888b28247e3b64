"""Sums over `r = 1 / (1 + e f)` for keys by a panel of queries, in registers, and their gradients.

`e` and `f` are `exp(2x)` of queries and of keys, so that `tanh(q + k) = 1 - 2r`. Two units share a
quotient, `v / x + w / y = (v y + w x) / (x y)`, because it takes as long as four products. For that
`1 + e f` is kept below 1e18, where what is left of `r` is nothing beside one.
"""

from typing import Any

from numba import types
from numba.core import cgutils

from regard._kernels.tiles import COLUMNS, VECTORS
from regard._kernels.vectors import (
    LANES,
    NUMBERS,
    SIZE,
    constant,
    in_loops,
    instruction,
    place,
    written_fma,
    written_spread,
)
from regard._kernels.vectors import at as behind

KEYS = 2
"""Of a tile."""

UNITS = 64
"""Of a sum; sums of those are summed, so that roundings stay small."""

_GREATEST = 1e18


def _number(builder: Any, pointer: Any, *offsets: Any) -> Any:
    """A vector of one number in memory."""
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return written_spread(builder, builder.load(pointer))


def _vectors(builder: Any, pointer: Any, offset: Any) -> list[Any]:
    """Those of a row of a panel."""
    return [
        builder.load(place(builder, pointer, offset, SIZE(j * LANES)), align=4)
        for j in range(VECTORS)
    ]


def _kept_below(builder: Any, x: Any) -> Any:
    greatest = constant(_GREATEST)
    return builder.select(builder.fcmp_ordered("<", x, greatest), x, greatest)


def _score(keys: int) -> Any:
    """`s[k, :] = -sum_i v[i] / (1 + e[i, :] f[k f_row + i])` for so many keys."""

    def write(  # type: ignore[no-untyped-def]
        builder, s, s_row, f, f_row, e, v, width
    ) -> None:
        one, two = constant(1.0), SIZE(2)
        tile = [(k, j) for k in range(keys) for j in range(VECTORS)]
        sums = [cgutils.alloca_once_value(builder, constant(0.0)) for _ in tile]
        parts = [cgutils.alloca_once_value(builder, constant(0.0)) for _ in tile]

        def met(i: Any) -> tuple[Any, list[list[Any]]]:
            """`v` of a unit, and `1 + e f`."""
            columns = _vectors(builder, e, builder.mul(i, SIZE(COLUMNS)))
            numbers = [_number(builder, f, builder.mul(f_row, SIZE(k)), i) for k in range(keys)]
            found = [
                [_kept_below(builder, written_fma(builder, x, n, one)) for x in columns]
                for n in numbers
            ]
            return _number(builder, v, i), found

        def add(to: list[Any], numbers: list[Any]) -> None:
            for total, number in zip(to, numbers, strict=True):
                builder.store(builder.fadd(builder.load(total), number), total)

        def add_pairs(first: Any, last: Any) -> None:
            with cgutils.for_range_slice(builder, first, last, two) as (i, _):
                (a, xs), (b, ys) = met(i), met(builder.add(i, SIZE(1)))
                found = []
                for k, j in tile:
                    x, y = xs[k][j], ys[k][j]
                    upper = written_fma(builder, b, x, builder.fmul(a, y))
                    found.append(builder.fdiv(upper, builder.fmul(x, y)))
                add(parts, found)

        even = builder.and_(width, SIZE(-2))
        with cgutils.for_range_slice(builder, SIZE(0), even, SIZE(UNITS)) as (start, _):
            for part in parts:
                builder.store(constant(0.0), part)
            stop = builder.add(start, SIZE(UNITS))
            inside = builder.icmp_signed("<", stop, even)
            add_pairs(start, builder.select(inside, stop, even))
            add(sums, [builder.load(part) for part in parts])
        with builder.if_then(builder.icmp_signed("!=", even, width)):
            a, xs = met(even)
            add(sums, [builder.fdiv(a, xs[k][j]) for k, j in tile])
        for (k, j), total in zip(tile, sums, strict=True):
            to = place(builder, s, builder.mul(s_row, SIZE(k)), SIZE(j * LANES))
            builder.store(builder.fneg(builder.load(total)), to, align=4)

    size = types.intp
    return instruction(write, types.void, NUMBERS, size, NUMBERS, size, NUMBERS, NUMBERS, size)


_score_some, _score_one = _score(KEYS), _score(1)


@in_loops
def score(s, s_row, f, f_row, e, v, width, rows):  # type: ignore[no-untyped-def]
    """`s[k, :] = -sum_i v[i] / (1 + e[i, :] f[k f_row + i])`, so many rows of `COLUMNS`."""
    whole = rows - rows % KEYS
    for k in range(0, whole, KEYS):
        _score_some(behind(s, k * s_row), s_row, behind(f, k * f_row), f_row, e, v, width)
    for k in range(whole, rows):
        _score_one(behind(s, k * s_row), s_row, behind(f, k * f_row), f_row, e, v, width)


def _gradients(
    builder: Any, to_k: Any, to_q: Any, to_v: Any, ds: Any, row: Any, e: Any, f: Any
) -> None:
    one, zero = constant(1.0), SIZE(0)
    columns, size = _vectors(builder, e, zero), SIZE(LANES)
    places = [place(builder, to, SIZE(j * LANES)) for to in (to_q, to_v) for j in range(VECTORS)]
    before = [builder.load(one, align=4) for one in places]
    sums = [cgutils.alloca_once_value(builder, one) for one in before]  # registers in the end
    with cgutils.for_range(builder, SIZE(COLUMNS)) as loop:
        number = _number(builder, f, loop.index)
        changes = _vectors(builder, ds, builder.mul(loop.index, row))
        key = place(builder, to_k, builder.mul(loop.index, size))
        of_key = builder.load(key, align=4)
        for j in range(VECTORS):
            product = _kept_below(builder, builder.fmul(columns[j], number))
            r = builder.fdiv(one, builder.fadd(one, product))
            by_r = builder.fmul(changes[j], r)
            # 1 - r is e f r, because the difference has few digits where r is nearly one.
            found = builder.fmul(by_r, builder.fmul(product, r))
            of_key = builder.fadd(of_key, found)
            for total, new in ((sums[j], found), (sums[VECTORS + j], by_r)):
                builder.store(builder.fadd(builder.load(total), new), total)
        builder.store(of_key, key, align=4)
    for to, total in zip(places, sums, strict=True):
        builder.store(builder.load(total), to, align=4)


_size = types.intp
gradients: Any = instruction(
    _gradients, types.void, NUMBERS, NUMBERS, NUMBERS, NUMBERS, _size, NUMBERS, NUMBERS
)
"""Of a unit, a panel of queries and `COLUMNS` keys, whose numbers are `e[:]` and `f[:]`:

    to_q[:] += sum_k ds[k, :] r (1 - r)      to_k[k, :] += the same, a vector's, not summed over k
    to_v[:] += sum_k ds[k, :] r
"""
