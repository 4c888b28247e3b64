"""The exponential of every query and key, taken once, so that a pair of them needs none.

    tanh(a + c) = 1 - 2 / (1 + e^(2a) e^(2c))

Exponents beyond ±31 are cut off, so that the product of two denominators is a float32; vectors that
have one are flagged, and pairs with them are computed from `a + c` itself.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from regard._kernels.triton_pattern import inline, kernel

UNROLLED = 8
"""Columns between two additions to a sum: widths are filled up to a multiple of it."""
BLOCK = 64
"""The largest block of vectors: lengths are filled up to a multiple of it."""

TWICE = tl.constexpr(2.8853900817779268)  # 2 log2(e)
FARTHEST = tl.constexpr(31.0)


@inline
def share(x):  # type: ignore[no-untyped-def]
    """`1 / (1 + e^2x)` for any number, at the cost of an exponential."""
    small = tl.exp2(-(tl.abs(x) * TWICE))
    return tl.where(x >= 0, small, 1.0) / (1.0 + small)


@kernel
def _exponentials(  # type: ignore[no-untyped-def]
    x, out, far, rows, width, filled, padded, out_row, out_column,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    worst = tl.zeros([ROWS], tl.float32)
    for first in range(0, padded, COLUMNS):
        column = first + tl.arange(0, COLUMNS)
        here = (row[:, None] < rows) & (column[None, :] < width)
        at = x + (n * rows + row[:, None]) * width + column[None, :]
        exponent = tl.load(at, mask=here, other=0.0) * TWICE
        worst = tl.maximum(worst, tl.max(tl.abs(exponent), 1))
        kept = tl.where(exponent > FARTHEST, FARTHEST, exponent)  # NaN stays
        kept = tl.where(kept < -FARTHEST, -FARTHEST, kept)
        to = out + n * filled * padded + row[:, None] * out_row + column[None, :] * out_column
        tl.store(to, tl.where(here, tl.exp2(kept), 0.0), mask=column[None, :] < padded)
    tl.store(far + n * filled + row, (worst > FARTHEST).to(tl.int8))


def exponentials(x: Tensor, *, by_columns: bool) -> tuple[Tensor, Tensor]:
    """`[N, padded, filled]` or `[N, filled, padded]` of contiguous `[N, rows, width]`, and flags.

    Rows and columns that fill up are zero, so that kernels read whole blocks.
    """
    count, rows, width = x.shape
    padded, filled = -(-width // UNROLLED) * UNROLLED, -(-rows // BLOCK) * BLOCK
    out = x.new_empty((count, padded, filled) if by_columns else (count, filled, padded))
    far = torch.empty((count, filled), dtype=torch.int8, device=x.device)
    steps = (1, filled) if by_columns else (padded, 1)
    launch: Any = _exponentials[(triton.cdiv(filled, 32), count)]
    launch(x, out, far, rows, width, filled, padded, *steps, ROWS=32, COLUMNS=32)
    return out, far
