"""The gradients of additive attention on a GPU, without the q × k × width tensor.

With `P` the weights and `r = 1 / (1 + e^(2(a + c)))` of a pair and a column, so that tanh = 1 - 2r,

    dP = dO value^T      dS = P (dP - sum(dO O))      dvalue = P^T dO
    da_q = 4 v sum_k dS_qk (r - r^2)      dc_k = 4 v sum_q dS_qk (r - r^2)      dv = sum dS (1 - 2r)

The two products are PyTorch's. P and dS of some queries at a time are in memory, because then the
sums for `a` and for `c` are each taken within a thread: a block of one side's vectors stays in
registers while the vectors of the other side pass by. No sum depends on what runs first.
"""

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from regard._kernels.triton_additive import KEYS, LOG2E, filled_up, tanh_sums
from regard._kernels.triton_exponentials import BLOCK, exponentials, share
from regard._kernels.triton_hardware import reciprocal
from regard._kernels.triton_pattern import Pattern, added, any_of, first_of, kernel, permitted

AT_ONCE = 1 << 28
"""Bytes of P, and of dS, of so many queries at a time."""
ROWS, COLUMNS, PASSING = 32, 64, 8


@kernel
def _weights(  # type: ignore[no-untyped-def]
    eq, ek, fq, fk, a, c, v, lse, inner, weights, change,
    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
    heads, groups, q_len, k_len, q_filled, k_filled, width, padded,
    BQ: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """P, and dS in the place of dP."""
    k0, q0, lead = tl.program_id(0) * BK, tl.program_id(1) * BQ, tl.program_id(2)
    b, h = lead // heads, lead % heads
    own, other = lead.to(tl.int64), (lead // groups).to(tl.int64)
    q, k = q0 + tl.arange(0, BQ), k0 + tl.arange(0, BK)
    eq, fq, a = eq + own * padded * q_filled, fq + own * q_filled, a + own * q_len * width
    ek, fk, c = ek + other * padded * k_filled, fk + other * k_filled, c + other * k_len * width
    yes = permitted(
        q, k, q_len, k_len, low, high, b, h, q_ids, q_ids_b, q_ids_q,
        k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h, mask_q, mask_k,
    )  # fmt: skip
    found, slope = tl.zeros([BQ, BK], tl.float32), tl.zeros([BQ, BK], tl.float32)
    at = (own * q_filled + q[:, None]) * k_filled + k[None, :]
    if any_of(yes):
        scores = tanh_sums(
            eq, ek, fq, fk, a, c, v, q, k, q_len, k_len, q_filled, k_filled, width, padded, BQ, BK
        )  # fmt: skip
        if bias is not None:
            scores += added(q, k, yes, b, h, bias, bias_b, bias_h, bias_q, bias_k)
        level = tl.load(lse + own * q_len + q, mask=q < q_len, other=float("inf"))
        mean = tl.load(inner + own * q_len + q, mask=q < q_len, other=0.0)
        found = tl.where(yes, tl.exp2((scores - level[:, None]) * LOG2E), 0.0)
        slope = found * (tl.load(change + at, mask=yes, other=0.0) - mean[:, None])
    tl.store(weights + at, found)
    tl.store(change + at, slope)


@kernel
def _sums(  # type: ignore[no-untyped-def]
    own, passing, e_own, e_passing, f_own, f_passing, v, change, out, out_v,
    low, high, q_len, k_len, q_filled, k_filled, width, padded,
    own_step, passing_step, repeats, shared,
    WITH_V: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    """`4 v sum dS (r - r^2)` over all that passes, for a block of the vectors of one side.

    `q_len` counts this side's vectors and `k_len` those that pass. A key meets the queries of
    `repeats` heads; the vectors of a query meet the keys that `shared` heads have together.
    """
    r0, lead = tl.program_id(0) * BR, tl.program_id(2).to(tl.int64)
    row, d = r0 + tl.arange(0, BR), tl.program_id(1) * BD + tl.arange(0, BD)
    here, wide = row < q_len, d < padded
    both = here[:, None] & (d[None, :] < width)
    at = lead * q_len + row[:, None]
    mine = e_own + (lead * q_filled + row[:, None]) * padded + d[None, :]
    mine = tl.load(mine, mask=wide[None, :], other=0.0)
    raw = tl.load(own + at * width + d[None, :], mask=both, other=0.0)
    is_far = tl.max(tl.load(f_own + lead * q_filled + row).to(tl.int32), 0)
    total, of_v = tl.zeros([BR, BD], tl.float32), tl.zeros([BR, BD], tl.float32)
    slopes = tl.zeros([BR], tl.float32)
    for repeat in range(0, repeats):
        other = lead * repeats // shared + repeat
        read = (
            change + (lead * repeats + repeat) * q_filled * k_filled + row.to(tl.int64) * own_step
        )
        for p0 in range(first_of(r0, low, BP), tl.minimum(k_len, r0 + BR + high), BP):
            f = tl.load(f_passing + other * k_filled + p0 + tl.arange(0, BP)).to(tl.int32)
            if is_far + tl.max(f, 0) > 0:
                for i in range(p0, tl.minimum(p0 + BP, k_len)):
                    slope = tl.load(read + i * passing_step)
                    x = passing + (other * k_len + i) * width + d
                    r = share(raw + tl.load(x, mask=d < width, other=0.0)[None, :])
                    total += slope[:, None] * (r - r * r)
                    if WITH_V:
                        of_v += slope[:, None] * r
                        slopes += slope
            else:
                for j in tl.static_range(0, BP):
                    slope = tl.load(read + (p0 + j) * passing_step)
                    e = e_passing + (other * k_filled + p0 + j) * padded + d
                    r = reciprocal(mine * tl.load(e, mask=wide, other=0.0)[None, :] + 1.0)
                    total += slope[:, None] * (r - r * r)
                    if WITH_V:
                        of_v += slope[:, None] * r
                        slopes += slope
    factor = 4.0 * tl.load(v + d, mask=d < width, other=0.0)
    tl.store(out + at * width + d[None, :], total * factor[None, :], mask=both)
    if WITH_V:
        block = lead * tl.num_programs(0) + tl.program_id(0)
        found = tl.sum(slopes, 0) - 2.0 * tl.sum(of_v, 0)
        tl.store(out_v + block * width + d, found, mask=d < width)


def additive_backward(
    upstream: Tensor, a: Tensor, c: Tensor, v: Tensor, value: Tensor, out: Tensor, lse: Tensor,
    pattern: Pattern, with_bias: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:  # fmt: skip
    """The gradients of `a`, `c`, `v` and the value in float32; `[B, H, Q, K]` of the bias, or None.

    `upstream`, `out` and `lse` are float32, and what `additive_forward` says holds of the others.
    """
    batch, heads, q_len, width = a.shape
    kv_heads, k_len, value_dim = value.shape[1:]
    groups = heads // kv_heads
    d_a, d_c, d_v = torch.empty_like(a), torch.zeros_like(c), torch.zeros_like(v)
    keys = _side(c)
    k_filled = keys.far.shape[1]
    values = _filled(value.float(), k_filled)
    d_value = torch.zeros_like(values)
    whole = a.new_empty(batch, heads, q_len, k_len) if with_bias else None
    inner = (upstream * out).sum(-1)
    filled_v = filled_up(v, keys.by_columns.shape[1])
    rows = max(BLOCK, AT_ONCE // max(1, 4 * batch * heads * k_filled) // BLOCK * BLOCK)
    for start in range(0, q_len, rows):
        cut = slice(start, start + rows)
        queries, seen = _side(a[:, :, cut].contiguous()), pattern.rows(start, start + rows)
        here, q_filled = queries.vectors.shape[2], queries.far.shape[1]
        given = _filled(upstream[:, :, cut], q_filled)
        given = given.reshape(batch, kv_heads, groups * q_filled, value_dim)
        change = given @ values.mT
        weights = torch.empty_like(change)
        launch: Any = _weights[(k_filled // KEYS, q_filled // 32, batch * heads)]
        launch(
            queries.by_columns, keys.by_columns, queries.far, keys.far, queries.vectors, c,
            filled_v, lse[:, :, cut].contiguous(), inner[:, :, cut].contiguous(), weights, change,
            **seen.arguments(), heads=heads, groups=groups, q_len=here, k_len=k_len,
            q_filled=q_filled, k_filled=k_filled, width=width, padded=filled_v.shape[0],
            BQ=32, BK=KEYS,
        )  # fmt: skip
        d_value += weights.mT @ given
        reach, steps = (seen.low, seen.high), (k_filled, 1)
        d_a[:, :, cut], parts = _summed(queries, keys, v, change, reach, steps, 1, groups, True)
        d_v += parts.sum((0, 1))
        reach = -seen.high, -seen.low
        d_c += _summed(keys, queries, v, change, reach, steps[::-1], groups, 1, False)[0]
        if whole is not None:
            whole[:, :, cut] = change.view(batch, heads, q_filled, k_filled)[:, :, :here, :k_len]
    return d_a, d_c, d_v, d_value[:, :, :k_len], whole


def _filled(vectors: Tensor, length: int) -> Tensor:
    """The vectors with zeros behind them."""
    return torch.nn.functional.pad(vectors, (0, 0, 0, length - vectors.shape[2]))


@dataclass(frozen=True)
class _Side:
    """The vectors of one side, their exponentials in both orders, and which are far from zero."""

    vectors: Tensor
    by_columns: Tensor
    by_rows: Tensor
    far: Tensor


def _side(vectors: Tensor) -> _Side:
    by_columns, far = exponentials(vectors.flatten(0, 1), by_columns=True)
    return _Side(vectors, by_columns, exponentials(vectors.flatten(0, 1), by_columns=False)[0], far)


def _summed(
    own: _Side, passing: _Side, v: Tensor, change: Tensor, reach: tuple[int, int],
    steps: tuple[int, int], repeats: int, shared: int, with_v: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The gradient of one side's vectors, and parts of that of `v` that are still to be summed."""
    batch, heads, length, width = own.vectors.shape
    blocks = triton.cdiv(length, ROWS)
    out = torch.empty_like(own.vectors)
    parts = out.new_empty((batch * heads, blocks, width) if with_v else (1, 1, 1))
    launch: Any = _sums[(blocks, triton.cdiv(width, COLUMNS), batch * heads)]
    launch(
        own.vectors, passing.vectors, own.by_rows, passing.by_rows, own.far, passing.far, v,
        change, out, parts, low=reach[0], high=reach[1], q_len=length,
        k_len=passing.vectors.shape[2], q_filled=own.far.shape[1], k_filled=passing.far.shape[1],
        width=width, padded=own.by_rows.shape[2],
        own_step=steps[0], passing_step=steps[1], repeats=repeats, shared=shared,
        WITH_V=with_v, BR=ROWS, BD=COLUMNS, BP=PASSING,
    )  # fmt: skip
    return out, parts
