"""Attention of few queries to the same keys by sums of tanh and softmax, in one go each way."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._kernels import kept, tanh_scores
from regard._kernels.in_memory import in_memory
from regard._kernels.installed import loops
from regard._kernels.slices import in_slices
from regard._kernels.tanh_scores import Exponentials


class Weighed(NamedTuple):
    """The output and the weights, and the exponentials that scores were taken from."""

    output: Float[Tensor, "batch heads q_len value_dim"]
    weights: Float[Tensor, "batch heads q_len k_len"]
    of_query: Exponentials
    of_key: Exponentials


def attend(
    query: Float[Tensor, "batch heads q_len width"],
    key: Float[Tensor, "batch kv_heads k_len width"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    v: Float[Tensor, " width"],
    permitted: Bool[Tensor, "batch heads q_len k_len"],
) -> Weighed:
    """None of these is empty, and `value` has vectors in one piece."""
    batch, heads, q_len, k_len = permitted.shape
    kv_heads, value_dim = value.shape[1], value.shape[3]
    of_query, of_key = tanh_scores.exponentials(query), kept.exponentials(key, q_len)
    output = value.new_empty(batch, heads, q_len, value_dim)
    weights, permitted = value.new_empty(permitted.shape), permitted.contiguous()
    in_slices(
        loops("step_loops").forward, output.data_ptr(), weights.data_ptr(), value.data_ptr(),
        permitted.data_ptr(), of_query.values.data_ptr(), of_query.far.data_ptr(),
        of_query.vectors.data_ptr(), of_key.values.data_ptr(), of_key.far.data_ptr(),
        of_key.vectors.data_ptr(), v.data_ptr(), q_len, k_len, v.shape[0], value_dim, batch * heads,
        heads // kv_heads, kv_heads, *value.stride()[:3],
        outputs=batch * heads * q_len, size=weights.numel() * (v.shape[0] + value_dim),
    )  # fmt: skip
    return Weighed(output, weights, of_query, of_key)


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
    batch, heads, q_len, k_len = permitted.shape
    kv_heads, value_dim = value.shape[1], value.shape[3]
    to_scores, to_values = torch.empty_like(found.weights), value.new_zeros(value.shape)
    upstream = in_memory(upstream)
    in_slices(
        loops("step_loops").backward,
        to_scores.data_ptr(), to_values.data_ptr(), upstream.data_ptr(),
        found.weights.data_ptr(), value.data_ptr(), q_len, k_len, value_dim, batch * heads,
        heads // kv_heads, kv_heads, *value.stride()[:3],
        outputs=batch * kv_heads, size=2 * permitted.numel() * value_dim,
    )  # fmt: skip
    # The queries of heads that share keys are as many more queries of one head.
    shared = to_scores.view(batch, kv_heads, -1, k_len)
    to_query, to_key, to_v = tanh_scores.gradients(shared, found.of_query, found.of_key, v)
    return to_query.view(query.shape), to_key, to_values, to_v
