"""Sparse attention by Triton: its gradient, and the operator that a recorded graph holds.

As `_triton_additive.py` does for additive scores.
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._definition import is_asked
from regard._backends._operation import operation
from regard._backends._rewriting import dot_form
from regard._backends._triton_additive import differentiated
from regard._backends._triton_pattern import Given, given
from regard._kernels.triton_blocks import blocks
from regard._torch_private import is_traced
from regard.score_mods import Bias
from regard.scores import ScaledDot


def run(call: Call, alpha: float) -> Tensor:
    """The output in the query's dtype, for calls that the backend does not refuse."""
    form = dot_form(call)
    query, key, scale = form.query, form.key, form.scale
    if isinstance(scale, Tensor):  # kernels take a plain number
        query, key, scale = query.to(call.exact) * scale, key.to(call.exact), 1.0
    value = call.value.to(query.dtype)
    what, inputs = given(call), (query.contiguous(), key.contiguous(), value.contiguous())
    if is_traced():
        held = scale, alpha, what.low, what.high, *what.tensors
        found: Tensor = _recorded(*inputs, *held)[0]
        return found.to(call.query.dtype)

    def recorded(
        upstream: Tensor, inputs: tuple[Tensor, ...], bias: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        query, key, value = inputs
        mod = None if bias is None else Bias(bias, first_query=call.q_offset)
        definition = call.where(
            query=query, key=key, value=value, score=ScaledDot(scale), score_mod=mod
        )
        return differentiated(definition, inputs, upstream)

    output: Tensor = SparseAttention.apply(*inputs, scale, alpha, what, recorded)
    return output.to(call.query.dtype)


class SparseAttention(torch.autograd.Function):
    """`entmax(scale query key^T + bias) value` in float32, with a gradient to the first three."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float,
        what: Given, recorded: Any,
    ) -> Tensor:  # fmt: skip
        output, *found = _forward(query, key, value, scale, alpha, what)
        ctx.save_for_backward(query, key, value, *found, *what.tensors)
        ctx.scale, ctx.alpha, ctx.what, ctx.recorded = scale, alpha, what, recorded
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, top, tau, alive, *held = ctx.saved_tensors
        nothing = None, None, None, None
        if is_asked(upstream[0]):
            return *ctx.recorded(upstream[0], (query, key, value), held[-1]), *nothing
        what = ctx.what.with_tensors(*held)
        found = _backward(
            upstream[0], query, key, value, top, tau, alive, ctx.scale, ctx.alpha, what
        )  # fmt: skip
        return *found, *nothing


def _forward(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float, what: Given
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from regard._kernels.triton_entmax import entmax_forward

    pattern = what.pattern(query.shape[2], key.shape[2])
    with torch.cuda.device_of(query):
        return entmax_forward(query, key, value, scale, alpha, pattern)


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, top: Tensor, tau: Tensor,
    alive: Tensor, scale: float, alpha: float, what: Given,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    from regard._kernels.triton_entmax_backward import entmax_backward

    pattern = what.pattern(query.shape[2], key.shape[2])
    upstream = upstream.to(query.dtype).contiguous()
    with torch.cuda.device_of(query):
        return entmax_backward(upstream, query, key, value, top, tau, alive, scale, alpha, pattern)


def _operator(
    query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float, low: int, high: int,
    q_ids: Tensor | None, k_ids: Tensor | None, mask: Tensor | None, bias: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return _forward(query, key, value, scale, alpha, Given(low, high, q_ids, k_ids, mask, bias))


def _shapes(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> tuple[Tensor, ...]:
    batch, heads, q_len = query.shape[:3]
    rows, keys = blocks(query, value.shape[3])
    out = query.new_empty(batch, heads, q_len, value.shape[3], dtype=torch.float32)
    of_rows = out.new_empty(batch, heads, q_len)
    shape = batch * heads, -(-q_len // rows), -(-key.shape[2] // keys)
    return out, of_rows, torch.empty_like(of_rows), query.new_empty(shape, dtype=torch.int8)


def _operator_backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: float, alpha: float,
    low: int, high: int, q_ids: Tensor | None, k_ids: Tensor | None, mask: Tensor | None,
    bias: Tensor | None, top: Tensor, tau: Tensor, alive: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    what = Given(low, high, q_ids, k_ids, mask, bias)
    return _backward(upstream, query, key, value, top, tau, alive, scale, alpha, what)


_recorded = operation(
    "sparse_attention", _operator, _operator_backward, _shapes, gradients=(0, 1, 2), kept=(1, 2, 3)
)
