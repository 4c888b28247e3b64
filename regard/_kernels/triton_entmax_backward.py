"""The gradients of sparse attention on a GPU, over the blocks in which some weight is not zero.

With t = max(0, z - tau), weights P = t^(1/s) and u = t^(1/s - 1),

    dP = dO value^T      dS = u (dP - sum(u dP) / sum(u))
    dq = scale dS k      dk = scale dS^T q      dvalue = P^T dO

Scores are computed again. A block of queries goes over its keys twice, for the sums and for dq; a
block of keys goes over its queries once. Nothing is added to by two at a time.
"""

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from regard._kernels.triton_blocks import blocks
from regard._kernels.triton_entmax import above, filled, power, scores_of, slope_of
from regard._kernels.triton_hardware import exact_product, product
from regard._kernels.triton_pattern import Pattern, first_of, kernel


@kernel
def _of_queries(  # type: ignore[no-untyped-def]
    query, key, value, upstream, top, tau, alive, mean, d_query,
    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
    heads, groups, q_len, k_len, k_blocks, width, value_dim, scale,
    S: tl.constexpr, BQ: tl.constexpr, BK: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """`sum(u dP) / sum(u)` of each query, and its gradient."""
    q0, lead = tl.program_id(0) * BQ, tl.program_id(1)
    b, h = lead // heads, lead % heads
    own, other = lead.to(tl.int64), (lead // groups).to(tl.int64)
    q, d, column = q0 + tl.arange(0, BQ), tl.arange(0, BD), tl.arange(0, BV)
    real, wide, shown = q[:, None] < q_len, d[None, :] < width, column[None, :] < value_dim
    row = own * q_len + q[:, None]
    queries = tl.load(query + row * width + d[None, :], mask=real & wide, other=0.0)
    given = upstream + row * value_dim + column[None, :]
    given = tl.load(given, mask=real & shown, other=0.0)
    level = tl.load(top + own * q_len + q, mask=q < q_len, other=0.0)[:, None]
    found = tl.load(tau + own * q_len + q, mask=q < q_len, other=0.0)[:, None]
    key, value = key + other * k_len * width, value + other * k_len * value_dim
    alive += (own * tl.num_programs(0) + tl.program_id(0)) * k_blocks
    first, last = first_of(q0, low, BK), tl.minimum(k_len, q0 + BQ + high)
    sums, total = tl.zeros([BQ], tl.float32), tl.zeros([BQ], tl.float32)
    middle = tl.zeros([BQ], tl.float32)
    gradient = tl.zeros([BQ, BD], tl.float32)
    for again in tl.static_range(0, 2):
        for k0 in range(first, last, BK):
            if tl.load(alive + k0 // BK) != 0:
                k = k0 + tl.arange(0, BK)
                z = scores_of(
                    queries, key, q0, k0, q_len, k_len, b, h, width, scale, low, high,
                    q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k, mask, mask_b, mask_h,
                    mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k, S, BQ, BK, BD,
                )  # fmt: skip
                u = slope_of(above(z - level, found), S)
                values = value + k[None, :].to(tl.int64) * value_dim + column[:, None]
                inside = (k[None, :] < k_len) & (column[:, None] < value_dim)
                values = tl.load(values, mask=inside, other=0.0)
                change = product(given, values)
                if again == 0:
                    sums += tl.sum(u * change, 1)
                    total += tl.sum(u, 1)
                else:
                    change = u * (change - middle[:, None])
                    keys = key + k[:, None].to(tl.int64) * width + d[None, :]
                    keys = tl.load(keys, mask=(k[:, None] < k_len) & wide, other=0.0)
                    gradient += exact_product(change, keys)
        middle = sums / tl.where(total == 0.0, 1.0, total)
    tl.store(mean + own * q_len + q, middle, mask=q < q_len)
    tl.store(d_query + row * width + d[None, :], gradient * scale, mask=real & wide)


@kernel
def _of_keys(  # type: ignore[no-untyped-def]
    query, key, value, upstream, top, tau, alive, mean, d_key, d_value,
    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
    heads, groups, q_len, k_len, q_blocks, k_blocks, width, value_dim, scale,
    S: tl.constexpr, BQ: tl.constexpr, BK: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    """The gradients of a block of keys and values, from the queries of all heads that share it."""
    k0, other = tl.program_id(0) * BK, tl.program_id(1).to(tl.int64)
    k, d, column = k0 + tl.arange(0, BK), tl.arange(0, BD), tl.arange(0, BV)
    wide, shown = d[None, :] < width, column[None, :] < value_dim
    values = value + (other * k_len + k[None, :]) * value_dim + column[:, None]
    inside = (k[None, :] < k_len) & (column[:, None] < value_dim)
    values = tl.load(values, mask=inside, other=0.0)
    of_keys, of_values = tl.zeros([BK, BD], tl.float32), tl.zeros([BK, BV], tl.float32)
    for shared in range(0, groups):
        own = other * groups + shared
        b, h = own // heads, own % heads
        for q0 in range(first_of(k0, -high, BQ), tl.minimum(q_len, k0 + BK - low), BQ):
            if tl.load(alive + (own * q_blocks + q0 // BQ) * k_blocks + k0 // BK) != 0:
                q = q0 + tl.arange(0, BQ)
                real = q[:, None] < q_len
                row = own * q_len + q[:, None]
                queries = tl.load(query + row * width + d[None, :], mask=real & wide, other=0.0)
                given = upstream + row * value_dim + column[None, :]
                given = tl.load(given, mask=real & shown, other=0.0)
                z = scores_of(
                    queries, key + other * k_len * width, q0, k0, q_len, k_len, b, h, width, scale,
                    low, high, q_ids, q_ids_b, q_ids_q, k_ids, k_ids_b, k_ids_k,
                    mask, mask_b, mask_h, mask_q, mask_k, bias, bias_b, bias_h, bias_q, bias_k,
                    S, BQ, BK, BD,
                )  # fmt: skip
                level = tl.load(top + own * q_len + q, mask=q < q_len, other=0.0)
                found = tl.load(tau + own * q_len + q, mask=q < q_len, other=0.0)
                middle = tl.load(mean + own * q_len + q, mask=q < q_len, other=0.0)
                t = above(z - level[:, None], found[:, None])
                change = product(given, values) - middle[:, None]
                change = slope_of(t, S) * change
                of_keys += exact_product(tl.trans(change), queries)
                of_values += exact_product(tl.trans(power(t, S)), given)
    of = other * k_len + k[:, None]
    here = k[:, None] < k_len
    tl.store(d_key + of * width + d[None, :], of_keys * scale, mask=here & wide)
    tl.store(d_value + of * value_dim + column[None, :], of_values, mask=here & shown)


def entmax_backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, top: Tensor, tau: Tensor,
    alive: Tensor, scale: float, alpha: float, pattern: Pattern,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The gradients of query, key and value in their dtype, in which `upstream` is too."""
    batch, heads, q_len, width = query.shape
    kv_heads, k_len, value_dim = value.shape[1:]
    rows, keys = blocks(query, value_dim)
    d_query, d_key = torch.empty_like(query), torch.empty_like(key)
    d_value = torch.empty_like(value)
    mean = torch.empty_like(tau)
    given = {
        **pattern.arguments(), "heads": heads, "groups": heads // kv_heads, "q_len": q_len,
        "k_len": k_len, "k_blocks": alive.shape[2], "width": width, "value_dim": value_dim,
        "scale": scale, "S": alpha - 1.0, "BQ": rows, "BK": keys,
        "BD": filled(width), "BV": filled(value_dim), "num_warps": 8 if rows == 64 else 4,
    }  # fmt: skip
    tensors = query, key, value, upstream, top, tau, alive, mean
    launch: Any = _of_queries[(alive.shape[1], batch * heads)]
    launch(*tensors, d_query, **given)
    launch = _of_keys[(alive.shape[2], batch * kv_heads)]
    launch(*tensors, d_key, d_value, q_blocks=alive.shape[1], **given)
    return d_query, d_key, d_value
