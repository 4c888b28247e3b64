"""Sparse attention on a GPU: entmax of `scale q k^T + bias` for alpha from 1 to 2, scores on chip.

With s = alpha - 1, z = s (scores - the row's best) and p = 1 / s,

    weights_j = max(0, z_j - tau)^p        sum_j max(0, z_j - tau)^p = 1        -1 <= tau < 0

The p-norm of max(0, z - tau) is convex in tau, and linear where the keys with weight are alike; so
Newton's method on it, from a tau that is too low, never steps too far and takes few steps. The
first pass over the keys finds the best score and, by a step for each block as it passes, such a
tau. Every further pass is a step, over the blocks that still hold a score above tau; the last one
sums the values. With sparsemax the steps are those of the paper's sets that shrink.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from regard._kernels.triton_blocks import blocks
from regard._kernels.triton_hardware import exact_product, product
from regard._kernels.triton_pattern import (
    Pattern,
    added,
    any_of,
    first_of,
    inline,
    kernel,
    permitted,
)

STEPS = tl.constexpr(40)
CLOSE = tl.constexpr(3e-4)  # how near to one the sum is, so that the next step makes it exact


@inline
def power(t, S: tl.constexpr):  # type: ignore[no-untyped-def]
    """`t^(1 / s)` of numbers that are not negative."""
    if S == 1.0:
        return t
    elif S == 0.5:
        return t * t
    else:
        return tl.where(t == 0.0, 0.0, tl.exp2(tl.log2(tl.where(t == 0.0, 1.0, t)) / S))


@inline
def slope_of(t, S: tl.constexpr):  # type: ignore[no-untyped-def]
    """`t^(1 / s - 1)`, the derivative of a weight by its score; none where there is no weight."""
    if S == 1.0:
        return tl.where(t == 0.0, 0.0, 1.0)
    elif S == 0.5:
        return t
    else:
        found = tl.exp2(tl.log2(tl.where(t == 0.0, 1.0, t)) * (1.0 / S - 1.0))
        return tl.where(t == 0.0, 0.0, found)


@inline
def above(z, tau):  # type: ignore[no-untyped-def]
    """`max(0, z - tau)`; NaN stays."""
    return tl.where(z <= tau, 0.0, z - tau)


@inline
def step_of(total, slope, S: tl.constexpr):  # type: ignore[no-untyped-def]
    """How far Newton's method moves tau: `(norm - 1) / -norm'`."""
    if S == 1.0:
        rooted = tl.where(total > 0.0, 1.0, 0.0)
    elif S == 0.5:
        rooted = tl.sqrt(total)
    else:
        known = tl.where(total > 0.0, total, 1.0)
        rooted = tl.where(total > 0.0, tl.exp2(tl.log2(known) * (1.0 - S)), 0.0)
    return (total - rooted) / tl.where(slope > 0.0, slope, 1.0)


@inline
def scores_of(  # type: ignore[no-untyped-def]
    queries, key, q0, k0, q_len, k_len, b, h, width, scale, low, high,
    q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h, mask_q, mask_k,
    bias, bias_b, bias_h, bias_q, bias_k,
    S: tl.constexpr, BQ: tl.constexpr, BK: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """`s` times the scores of a block of pairs; minus infinity where they do not count."""
    q, k, d = q0 + tl.arange(0, BQ), k0 + tl.arange(0, BK), tl.arange(0, BD)
    at = key + k[None, :].to(tl.int64) * width + d[:, None]
    keys = tl.load(at, mask=(k[None, :] < k_len) & (d[:, None] < width), other=0.0)
    scores = product(queries, keys) * (scale * S)
    # Most blocks lie inside of what is permitted: there no pair is asked. Queries behind the last
    # one are no pairs that count, but nobody reads what becomes of them.
    inside = (k0 + BK <= k_len) & (k0 + BK - 1 - q0 <= high) & (k0 - q0 - BQ + 1 >= low)
    yes = permitted(
        q, k, q_len, k_len, low, high, b, h, q_ids, q_ids_b, q_ids_q,
        k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h, mask_q, mask_k,
    )  # fmt: skip
    if bias is not None:
        scores += added(q, k, yes, b, h, bias, bias_b, bias_h, bias_q, bias_k) * S
    if q_ids is not None or mask is not None:
        scores = tl.where(yes, scores, float("-inf"))
    elif not inside:
        scores = tl.where(yes, scores, float("-inf"))
    return scores


@kernel
def _forward(  # type: ignore[no-untyped-def]
    query, key, value, out, top, tau, alive,
    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
    heads, groups, q_len, k_len, k_blocks, width, value_dim, scale,
    S: tl.constexpr, BQ: tl.constexpr, BK: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    q0, lead = tl.program_id(0) * BQ, tl.program_id(1)
    b, h = lead // heads, lead % heads
    own, other = lead.to(tl.int64), (lead // groups).to(tl.int64)
    q, d, column = q0 + tl.arange(0, BQ), tl.arange(0, BD), tl.arange(0, BV)
    queries = query + (own * q_len + q[:, None]) * width + d[None, :]
    queries = tl.load(queries, mask=(q[:, None] < q_len) & (d[None, :] < width), other=0.0)
    key, value = key + other * k_len * width, value + other * k_len * value_dim
    alive += (own * tl.num_programs(0) + tl.program_id(0)) * k_blocks
    first, last = first_of(q0, low, BK), tl.minimum(k_len, q0 + BQ + high)

    best = tl.full([BQ], float("-inf"), tl.float32)
    bound = tl.full([BQ], float("-inf"), tl.float32)
    for k0 in range(first, last, BK):
        z = scores_of(
            queries, key, q0, k0, q_len, k_len, b, h, width, scale, low, high,
            q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h, mask_q, mask_k,
            bias, bias_b, bias_h, bias_q, bias_k,
            S, BQ, BK, BD,
        )  # fmt: skip
        best = tl.maximum(best, tl.max(z, 1))
        bound = tl.maximum(bound, best - 1.0)
        t = above(z, tl.where(bound == float("-inf"), 0.0, bound)[:, None])
        total, slope = tl.sum(power(t, S), 1), tl.sum(slope_of(t, S), 1)
        bound += tl.where(total > 1.0, step_of(total, slope, S), 0.0)
        counts = (z != z) | ((z >= bound[:, None]) & (z > float("-inf")))
        tl.store(alive + k0 // BK, any_of(counts).to(tl.int8))
    tl.debug_barrier()

    level = tl.where(best == float("-inf"), 0.0, best)
    # What the bound lost where it was rounded, it must not be too high by.
    found = tl.where(bound == float("-inf"), -1.0, bound - level - 3e-7 * tl.abs(level))
    found = tl.maximum(found, -1.0)
    off, steps = 1.0, 0
    while (off > CLOSE) & (steps < STEPS):
        total, slope = tl.zeros([BQ], tl.float32), tl.zeros([BQ], tl.float32)
        for k0 in range(first, last, BK):
            if tl.load(alive + k0 // BK) != 0:
                z = scores_of(
                    queries, key, q0, k0, q_len, k_len, b, h, width, scale,
                    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
                    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
                    S, BQ, BK, BD,
                )  # fmt: skip
                t = above(z - level[:, None], found[:, None])
                total += tl.sum(power(t, S), 1)
                slope += tl.sum(slope_of(t, S), 1)
        found += step_of(total, slope, S)
        off = tl.max(tl.where(total > 0.0, tl.abs(total - 1.0), 0.0), 0)
        steps += 1

    total, output = tl.zeros([BQ], tl.float32), tl.zeros([BQ, BV], tl.float32)
    for k0 in range(first, last, BK):
        if tl.load(alive + k0 // BK) != 0:
            k = k0 + tl.arange(0, BK)
            z = scores_of(
                queries, key, q0, k0, q_len, k_len, b, h, width, scale, low, high,
                q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
                mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
            S, BQ, BK, BD,
            )  # fmt: skip
            weights = power(above(z - level[:, None], found[:, None]), S)
            tl.store(alive + k0 // BK, any_of(weights != 0.0).to(tl.int8))
            total += tl.sum(weights, 1)
            values = value + k[:, None].to(tl.int64) * value_dim + column[None, :]
            inside = (k[:, None] < k_len) & (column[None, :] < value_dim)
            values = tl.load(values, mask=inside, other=0.0)
            output += exact_product(weights, values)
    output = output / tl.where(total == 0.0, 1.0, total)[:, None]
    at = out + (own * q_len + q[:, None]) * value_dim + column[None, :]
    tl.store(at, output, mask=(q[:, None] < q_len) & (column[None, :] < value_dim))
    tl.store(top + own * q_len + q, level, mask=q < q_len)
    tl.store(tau + own * q_len + q, found, mask=q < q_len)


def entmax_forward(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float, pattern: Pattern
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The output in float32, and what the backward pass needs: best, tau, and blocks with weight.

    All are contiguous, and the widths at most 256.
    """
    batch, heads, q_len, width = query.shape
    kv_heads, k_len, value_dim = value.shape[1:]
    rows, keys = blocks(query, value_dim)
    count, k_blocks = triton.cdiv(q_len, rows), triton.cdiv(k_len, keys)
    out = query.new_empty(batch, heads, q_len, value_dim, dtype=torch.float32)
    top, tau = out.new_empty(out.shape[:3]), out.new_empty(out.shape[:3])
    alive = torch.zeros(batch * heads, count, k_blocks, dtype=torch.int8, device=query.device)
    launch: Any = _forward[(count, batch * heads)]
    launch(
        query, key, value, out, top, tau, alive, **pattern.arguments(), heads=heads,
        groups=heads // kv_heads, q_len=q_len, k_len=k_len, k_blocks=k_blocks, width=width,
        value_dim=value_dim, scale=scale, S=alpha - 1.0, BQ=rows, BK=keys,
        BD=filled(width), BV=filled(value_dim), num_warps=8 if rows == 64 else 4,
    )  # fmt: skip
    return out, top, tau, alive


def filled(width: int) -> int:
    """The width of a block that holds so many columns."""
    return max(16, triton.next_power_of_2(width))
