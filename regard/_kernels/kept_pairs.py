"""Which weights a dropout keeps, written out for every pair, where a definition asks for them."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import by_address
from regard._kernels.kept_bits import ROOM, draw
from regard._kernels.panels import KEYS
from regard._kernels.tiles import COLUMNS, VECTORS
from regard._kernels.vectors import LANES, NUMBERS, at, instruction, numbers_of

_BITS = ir.IntType(32)


def _is_kept(builder: Any, bits: Any, lane: Any) -> Any:
    flags = builder.load(builder.bitcast(bits, _BITS.as_pointer()))
    return builder.trunc(builder.lshr(flags, builder.trunc(lane, _BITS)), ir.IntType(1))


_is_kept_at = instruction(_is_kept, types.boolean, NUMBERS, types.intp)


def _kept_pairs(out, q_len, k_len, seed, likely, first, last):  # type: ignore[no-untyped-def]
    """Whether the weight of each pair of some heads is kept."""
    space = np.empty(LANES + KEYS * VECTORS + ROOM, np.float32)
    room = numbers_of(space)
    for head in range(first, last):
        kept = carray(out, (last, q_len, k_len))[head]
        for query in range(0, q_len, COLUMNS):
            for key in range(0, k_len, KEYS):
                rows = min(KEYS, k_len - key)
                bits = draw(room, query, key, rows, head, seed, likely)
                for j in range(min(COLUMNS, q_len - query)):
                    for i in range(rows):
                        of = at(bits, i * VECTORS + j // LANES)
                        kept[query + j, key + i] = _is_kept_at(of, j % LANES)
    space[0] = 0  # so that it is there until here


kept_pairs = by_address(_kept_pairs, [types.uint8], 6)
