"""Which weights a dropout keeps: random bits of a query and a key, the same whoever asks for them.

They are a function of a seed, the head, the query and the key (Philox), so that the backward pass
has those of the forward pass again and nothing is kept of them: neither the order in which tiles
are met, nor threads, nor the length of vectors make a difference.

    Salmon, Moraes, Dror & Shaw. Parallel Random Numbers: As Easy as 1, 2, 3. 2011.
"""

from typing import Any

from llvmlite import ir
from numba import types

from regard._kernels.tiles import VECTORS
from regard._kernels.vectors import (
    LANES,
    NUMBERS,
    SIZE,
    VECTOR,
    at,
    in_loops,
    instruction,
    load,
    store,
    written_spread,
)

GROUP = 8
"""Keys that share a block of random bits, each with 16 of them."""

ROOM = 2 * GROUP * VECTORS
"""Places that bits need beside those of the keys, which may begin and end within a group."""

ROUNDS = 7
"""As few as pass all tests in the paper."""

_PRODUCTS = 0xD2511F53, 0xCD9E8D57
_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW = (1 << 32) - 1

_BITS, _HALF, _MASK = ir.IntType(32), ir.IntType(16), ir.IntType(LANES)
_WIDE, _HALVES, _FLAGS = (ir.VectorType(kind, LANES) for kind in (SIZE, _HALF, ir.IntType(1)))


def _all(number: int) -> Any:
    return ir.Constant(_WIDE, [number] * LANES)


def _philox(builder: Any, counter: list[Any], seed: Any) -> list[Any]:
    """Four words for each lane; each is the lower half of a number."""
    c0, c1, c2, c3 = counter
    keys = [builder.and_(seed, SIZE(_LOW)), builder.lshr(seed, SIZE(32))]
    for _ in range(ROUNDS):
        one, two = (builder.mul(x, _all(m)) for x, m in zip((c0, c2), _PRODUCTS, strict=True))
        high_one, high_two = (builder.lshr(x, _all(32)) for x in (one, two))
        c0 = builder.xor(builder.xor(high_two, c1), written_spread(builder, keys[0]))
        c2 = builder.xor(builder.xor(high_one, c3), written_spread(builder, keys[1]))
        c1, c3 = (builder.and_(x, _all(_LOW)) for x in (two, one))
        keys = [
            builder.and_(builder.add(key, SIZE(step)), SIZE(_LOW))
            for key, step in zip(keys, _STEPS, strict=True)
        ]
    return [c0, c1, c2, c3]


def _bits(
    builder: Any, to: Any, query: Any, group: Any, head: Any, seed: Any, likely: Any, step: Any
) -> None:
    """For each key of a group, `step` places apart, a bit for each of `LANES` queries."""
    lanes = ir.Constant(_WIDE, list(range(LANES)))
    queries = builder.add(written_spread(builder, query), lanes)
    counter = [queries, written_spread(builder, group), written_spread(builder, head), _all(0)]
    limit = written_spread(builder, builder.trunc(likely, _HALF))
    for i, word in enumerate(_philox(builder, counter, seed)):
        for j in range(2):
            drawn = builder.trunc(builder.lshr(word, _all(16 * j)), _HALVES)
            flags = builder.bitcast(builder.icmp_unsigned("<", drawn, limit), _MASK)
            here = builder.gep(to, [builder.mul(step, SIZE(2 * i + j))])
            builder.store(builder.zext(flags, _BITS), builder.bitcast(here, _BITS.as_pointer()))


def _keep(builder: Any, x: Any, bits: Any) -> Any:
    flags = builder.trunc(builder.load(builder.bitcast(bits, _BITS.as_pointer())), _MASK)
    zero = ir.Constant(ir.VectorType(ir.FloatType(), LANES), [0.0] * LANES)
    return builder.select(builder.bitcast(flags, _FLAGS), x, zero)


_bits_of = instruction(_bits, types.void, NUMBERS, *[types.intp] * 6)
_kept = instruction(_keep, VECTOR, VECTOR, NUMBERS)


@in_loops
def draw(room, query, key, rows, head, seed, likely):  # type: ignore[no-untyped-def]
    """The address of the bits of a panel: a place for each vector of each key from `key` on.

    A weight is kept where 16 random bits are a number below `likely`.
    """
    first = key // GROUP
    for group in range(first, (key + rows - 1) // GROUP + 1):
        for j in range(VECTORS):
            to = at(room, (group - first) * GROUP * VECTORS + j)
            _bits_of(to, query + j * LANES, group, head, seed, likely, VECTORS)
    return at(room, (key - first * GROUP) * VECTORS)


@in_loops
def drop(s, row, rows, bits):  # type: ignore[no-untyped-def]
    """Zeros in a panel where a weight is not kept, whatever stands there."""
    for k in range(rows):
        for j in range(VECTORS):
            here = at(s, k * row + j * LANES)
            store(_kept(load(here), at(bits, k * VECTORS + j)), here)
