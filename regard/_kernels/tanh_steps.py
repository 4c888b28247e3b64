"""Attention of few queries to the same keys by sums of tanh and softmax, in one go each way."""

from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._kernels.slices import in_slices
from regard._kernels.tanh_scores import Exponentials


def attend(
    query: Exponentials,
    key: Exponentials,
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    v: Float[Tensor, " width"],
    permitted: Bool[Tensor, "batch heads q_len k_len"],
) -> tuple[Float[Tensor, "batch heads q_len value_dim"], Float[Tensor, "batch heads q_len k_len"]]:
    """The output and the weights; none of these is empty, and `value` has vectors in one piece."""
    batch, heads, q_len, k_len = permitted.shape
    kv_heads, value_dim = value.shape[1], value.shape[3]
    output, weights = (
        value.new_empty(batch, heads, q_len, value_dim),
        value.new_empty(permitted.shape),
    )
    in_slices(
        _loops().forward, output.data_ptr(), weights.data_ptr(), value.data_ptr(),
        permitted.data_ptr(), query.values.data_ptr(), query.far.data_ptr(),
        query.vectors.data_ptr(), key.values.data_ptr(), key.far.data_ptr(),
        key.vectors.data_ptr(), v.data_ptr(), q_len, k_len, v.shape[0], value_dim, batch * heads,
        heads // kv_heads, kv_heads, *value.stride()[:3],
        outputs=batch * heads * q_len, size=weights.numel() * (v.shape[0] + value_dim),
    )  # fmt: skip
    return output, weights


def gradients(
    upstream: Float[Tensor, "batch heads q_len value_dim"],
    weights: Float[Tensor, "batch heads q_len k_len"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
) -> tuple[
    Float[Tensor, "batch heads q_len k_len"], Float[Tensor, "batch kv_heads k_len value_dim"]
]:
    """The gradients to the scores and to the values."""
    batch, heads, q_len, k_len = weights.shape
    kv_heads, value_dim = value.shape[1], value.shape[3]
    to_scores, to_values = torch.empty_like(weights), value.new_zeros(value.shape)
    upstream = upstream.contiguous()
    in_slices(
        _loops().backward, to_scores.data_ptr(), to_values.data_ptr(), upstream.data_ptr(),
        weights.data_ptr(), value.data_ptr(), q_len, k_len, value_dim, batch * heads,
        heads // kv_heads, kv_heads, *value.stride()[:3],
        outputs=batch * kv_heads, size=2 * weights.numel() * value_dim,
    )  # fmt: skip
    return to_scores, to_values


@cache
def _loops() -> Any:
    """The module of the loops, which are compiled when it is first imported."""
    from regard._kernels import step_loops

    return step_loops
