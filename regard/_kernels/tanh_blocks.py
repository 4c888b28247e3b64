"""Attention by sums of tanh and softmax, a block of queries at a time, in one go each way.

A task is a block of queries, or a piece of a head, whatever the number of threads: so the result is
the same.
"""

from ctypes import c_int64
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._kernels.blocked import PIECES, QUERIES, summed
from regard._kernels.in_memory import in_memory
from regard._kernels.installed import loops
from regard._kernels.slices import in_slices


class Weighed(NamedTuple):
    """The output, and what tells its weights: each query's largest score and their sum."""

    output: Float[Tensor, "batch heads q_len value_dim"]
    tops: Float[Tensor, "batch heads q_len"]
    sums: Float[Tensor, "batch heads q_len"]


def attend(
    query: Float[Tensor, "batch heads q_len width"],
    key: Float[Tensor, "batch kv_heads k_len width"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    v: Float[Tensor, " width"],
    permitted: Bool[Tensor, "batch heads q_len k_len"],
) -> Weighed:
    """None of these is empty, and `value` has vectors in one piece; `permitted` any strides."""
    batch, heads, q_len, k_len = permitted.shape
    query, key = in_memory(query), in_memory(key)
    output = value.new_empty(batch, heads, q_len, value.shape[3])
    tops, sums = (value.new_empty(batch, heads, q_len) for _ in range(2))
    sizes = _sizes(value, permitted, v)
    in_slices(
        loops("tanh_forward").forward, output.data_ptr(), tops.data_ptr(), sums.data_ptr(),
        query.data_ptr(), key.data_ptr(), value.data_ptr(), v.data_ptr(), permitted.data_ptr(),
        (c_int64 * len(sizes))(*sizes),
        outputs=batch * heads * -(-q_len // QUERIES),
        size=permitted.numel() * (v.shape[0] + value.shape[3]),
    )  # fmt: skip
    return Weighed(output, tops, sums)


def gradients(
    upstream: Float[Tensor, "batch heads q_len value_dim"],
    found: Weighed,
    query: Float[Tensor, "batch heads q_len width"],
    key: Float[Tensor, "batch kv_heads k_len width"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    v: Float[Tensor, " width"],
    permitted: Bool[Tensor, "batch heads q_len k_len"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients to queries, keys, values and `v`."""
    loop, columns = loops("tanh_backward").backward, loops("tiles").COLUMNS
    batch, heads, q_len, k_len = permitted.shape
    width, value_dim = v.shape[0], value.shape[3]
    tasks = batch * heads
    pieces = max(1, min(-(-PIECES // tasks), -(-q_len // (4 * QUERIES))))
    upstream, query, key = in_memory(upstream), in_memory(query), in_memory(key)
    to_query = torch.empty_like(query)
    to_key = value.new_empty(batch, heads, pieces, k_len, width)
    to_value = value.new_zeros(batch, heads, pieces, k_len, -(-value_dim // columns) * columns)
    to_v = torch.zeros(tasks * pieces, width, dtype=torch.float64)
    sizes = [*_sizes(value, permitted, v), pieces]
    in_slices(
        loop, to_query.data_ptr(), to_key.data_ptr(), to_value.data_ptr(), to_v.data_ptr(),
        upstream.data_ptr(), found.output.data_ptr(), found.tops.data_ptr(), found.sums.data_ptr(),
        query.data_ptr(), key.data_ptr(), value.data_ptr(), v.data_ptr(), permitted.data_ptr(),
        (c_int64 * len(sizes))(*sizes),
        outputs=tasks * pieces, size=4 * permitted.numel() * (width + value_dim),
    )  # fmt: skip
    return to_query, summed(to_key, key), summed(to_value, value), to_v.sum(0).float()


def _sizes(value: Tensor, permitted: Tensor, v: Tensor) -> list[int]:
    _, heads, q_len, k_len = permitted.shape
    lengths = q_len, k_len, v.shape[0], value.shape[3]
    return [heads, heads // value.shape[1], *lengths, *value.stride()[:3], *permitted.stride()]
