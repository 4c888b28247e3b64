"""Additive attention on a GPU: `softmax(v^T tanh(a + c) + bias) value`, scores never in memory.

For a pair and a column an exponential of each vector was taken before (`triton_exponentials.py`);
two columns share a reciprocal,

    v1 / x1 + v2 / x2 = (v1 x2 + v2 x1) / (x1 x2)          x = 1 + e^(2a) e^(2c)

so that each costs three and a half operations and half a reciprocal, of which a multiprocessor has
a sixteenth to an eighth as many. Softmax is taken as the keys come, a block of them at a time.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from regard._kernels.triton_exponentials import UNROLLED, exponentials, share
from regard._kernels.triton_hardware import product, reciprocal
from regard._kernels.triton_pattern import (
    Pattern,
    added,
    any_of,
    first_of,
    inline,
    kernel,
    permitted,
    rows_at_once,
)

LOG2E = tl.constexpr(1.4426950408889634)
COLUMNS = tl.constexpr(UNROLLED)
KEYS = 64
"""Keys of a block."""


@inline
def tanh_sums(  # type: ignore[no-untyped-def]
    eq, ek, fq, fk, a, c, v, q, k, q_len, k_len, q_filled, k_filled, width, padded,
    BQ: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """`sum_d v_d tanh(a_qd + c_kd)` of a block of pairs; pointers are at the head's first row."""
    sums = tl.zeros([BQ, BK], tl.float32)
    far = tl.max(tl.load(fq + q).to(tl.int32), 0) + tl.max(tl.load(fk + k).to(tl.int32), 0)
    if far > 0:
        for d in range(0, width):
            x = tl.load(a + q * width + d, mask=q < q_len, other=0.0)[:, None]
            x = x + tl.load(c + k * width + d, mask=k < k_len, other=0.0)[None, :]
            sums += tl.load(v + d) * (1.0 - 2.0 * share(x))
    else:
        for first in range(0, padded, COLUMNS):
            # The mean of 1 / x is taken off a few columns at a time: sums stay as small as tanh's.
            mean, some = 0.0, tl.zeros([BQ, BK], tl.float32)
            for at in tl.static_range(0, COLUMNS, 2):
                d = first + at
                v1, v2 = tl.load(v + d), tl.load(v + d + 1)
                q1, q2 = tl.load(eq + d * q_filled + q), tl.load(eq + (d + 1) * q_filled + q)
                k1, k2 = tl.load(ek + d * k_filled + k), tl.load(ek + (d + 1) * k_filled + k)
                x1 = q1[:, None] * k1[None, :] + 1.0
                x2 = q2[:, None] * k2[None, :] + 1.0
                some += (v1 * x2 + v2 * x1) * reciprocal(x1 * x2)
                mean += v1 + v2
            sums += mean - 2.0 * some
    return sums


@kernel
def _forward(  # type: ignore[no-untyped-def]
    eq, ek, fq, fk, a, c, v, value, out, lse,
    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
    heads, groups, q_len, k_len, q_filled, k_filled, width, padded, value_dim,
    BQ: tl.constexpr, BK: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    q0, lead = tl.program_id(0) * BQ, tl.program_id(1)
    b, h = lead // heads, lead % heads
    own, other = lead.to(tl.int64), (lead // groups).to(tl.int64)
    q, column = q0 + tl.arange(0, BQ), tl.program_id(2) * BV + tl.arange(0, BV)
    eq, fq, a = eq + own * padded * q_filled, fq + own * q_filled, a + own * q_len * width
    ek, fk, c = ek + other * padded * k_filled, fk + other * k_filled, c + other * k_len * width
    value += other * k_len * value_dim
    top = tl.full([BQ], float("-inf"), tl.float32)
    total = tl.zeros([BQ], tl.float32)
    output = tl.zeros([BQ, BV], tl.float32)
    for k0 in range(first_of(q0, low, BK), tl.minimum(k_len, q0 + BQ + high), BK):
        k = k0 + tl.arange(0, BK)
        yes = permitted(
            q, k, q_len, k_len, low, high, b, h, q_ids, q_ids_b, q_ids_q,
            k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h, mask_q, mask_k,
        )  # fmt: skip
        if any_of(yes):
            scores = tanh_sums(
                eq, ek, fq, fk, a, c, v, q, k, q_len, k_len, q_filled, k_filled, width, padded,
                BQ, BK,
            )  # fmt: skip
            if bias is not None:
                scores += added(q, k, yes, b, h, bias, bias_b, bias_h, bias_q, bias_k)
            scores = tl.where(yes, scores, float("-inf"))
            higher = tl.maximum(top, tl.max(scores, 1))
            level = tl.where(higher == float("-inf"), 0.0, higher)
            weights = tl.exp2((scores - level[:, None]) * LOG2E)
            fade = tl.exp2((top - level) * LOG2E)
            total = total * fade + tl.sum(weights, 1)
            inside = (k[:, None] < k_len) & (column[None, :] < value_dim)
            at = value + k[:, None].to(tl.int64) * value_dim + column[None, :]
            values = tl.load(at, mask=inside, other=0.0).to(tl.float32)
            output = output * fade[:, None] + product(weights, values)
            top = higher
    output = output / tl.where(total == 0.0, 1.0, total)[:, None]
    at = out + (own * q_len + q[:, None]) * value_dim + column[None, :]
    tl.store(at, output, mask=(q[:, None] < q_len) & (column[None, :] < value_dim))
    if tl.program_id(2) == 0:
        found = top + tl.log(tl.where(total == 0.0, 1.0, total))
        found = tl.where(total == 0.0, float("inf"), found)
        tl.store(lse + own * q_len + q, found, mask=q < q_len)


def additive_forward(
    a: Tensor, c: Tensor, v: Tensor, value: Tensor, pattern: Pattern
) -> tuple[Tensor, Tensor]:
    """The output `[B, H, Q, V]` and the log of each query's sum `[B, H, Q]`, in float32.

    `a` is `[B, H, Q, W]` and `c` `[B, G, K, W]`, float32 and contiguous as `value` is.
    """
    batch, heads, q_len, width = a.shape
    k_len, value_dim = value.shape[2:]
    out, lse = a.new_empty(batch, heads, q_len, value_dim), a.new_empty(batch, heads, q_len)
    eq, fq = exponentials(a.flatten(0, 1), by_columns=True)
    ek, fk = exponentials(c.flatten(0, 1), by_columns=True)
    columns = min(256, max(16, triton.next_power_of_2(value_dim)))
    rows = rows_at_once(q_len, batch * heads, a.device)
    rows = min(rows, 32) if columns > 128 else rows
    grid = triton.cdiv(q_len, rows), batch * heads, triton.cdiv(value_dim, columns)
    launch: Any = _forward[grid]
    launch(
        eq, ek, fq, fk, a, c, filled_up(v, eq.shape[1]), value, out, lse, **pattern.arguments(),
        heads=heads, groups=heads // c.shape[1], q_len=q_len, k_len=k_len,
        q_filled=eq.shape[2], k_filled=ek.shape[2], width=width, padded=eq.shape[1],
        value_dim=value_dim, BQ=rows, BK=KEYS, BV=columns, num_warps=8 if rows == 64 else 4,
    )  # fmt: skip
    return out, lse


def filled_up(v: Tensor, padded: int) -> Tensor:
    """`v` with zeros behind it."""
    return torch.nn.functional.pad(v, (0, padded - v.shape[0]))
