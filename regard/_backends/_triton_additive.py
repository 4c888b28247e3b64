"""Additive attention by Triton: its gradient, and the operator that a recorded graph holds.

Eager calls go to `AdditiveAttention`; under `torch.compile` and `torch.export` the same functions
are an operator that nothing looks into, which takes time to call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard._backends import chunked
from regard._backends._call import Call
from regard._backends._definition import gradients, is_asked
from regard._backends._operation import operation
from regard._backends._structure import temperature
from regard._backends._triton_pattern import Given, given
from regard._torch_private import is_traced
from regard.normalizers import softmax
from regard.score_mods import Bias
from regard.scores.additive import tanh_sum

Recorded = Callable[[Tensor, tuple[Tensor, ...], Tensor | None], tuple[Tensor | None, ...]]


@dataclass(frozen=True, eq=False)
class _Projected:
    """The score of vectors that were projected before."""

    v: Tensor

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return tanh_sum(query, key, self.v)


def run(call: Call) -> Tensor:
    """The output in the query's dtype, for calls that the backend does not refuse."""
    score: Any = call.score
    a, c = score.project(call.query.to(call.exact), call.key.to(call.exact))
    v = getattr(score, "v", None)
    v = a.new_ones(a.shape[-1]) if v is None else v.to(a.dtype)
    v = v / temperature(call.normalizer)
    what = given(call)
    inputs = a.contiguous(), c.contiguous(), v, call.value.contiguous()
    if is_traced():
        held = what.low, what.high, *what.tensors
        with_bias = what.bias is not None and torch.is_grad_enabled() and what.bias.requires_grad
        found: Tensor = _recorded(*inputs, *held, with_bias)[0]
        return found.to(call.query.dtype)

    def recorded(
        upstream: Tensor, inputs: tuple[Tensor, ...], bias: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        a, c, v, value = inputs
        mod = None if bias is None else Bias(bias, first_query=call.q_offset)
        definition = call.where(
            query=a, key=c, value=value.to(a.dtype), score=_Projected(v), score_mod=mod,
            normalizer=softmax,
        )  # fmt: skip
        return differentiated(definition, (*inputs, bias), upstream)

    output: Tensor = AdditiveAttention.apply(*inputs, what.bias, what, recorded)
    return output.to(call.query.dtype)


def differentiated(
    definition: Call, inputs: tuple[Tensor | None, ...], upstream: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients of the inputs that want one, through the definition and recorded."""
    return gradients(lambda: chunked.run(definition).to(upstream.dtype), inputs, upstream)


class AdditiveAttention(torch.autograd.Function):
    """`softmax(v^T tanh(a + c) + bias) value` in float32, with a gradient to all five."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, c: Tensor, v: Tensor, value: Tensor, bias: Tensor | None,
        what: Given, recorded: Recorded,
    ) -> Tensor:  # fmt: skip
        output, lse = _forward(a, c, v, value, what)
        ctx.save_for_backward(a, c, v, value, output, lse, *what.tensors)
        ctx.what, ctx.recorded = what, recorded
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        a, c, v, value, output, lse, *held = ctx.saved_tensors
        if is_asked(upstream[0]):
            return *ctx.recorded(upstream[0], (a, c, v, value), held[-1]), None, None
        what = ctx.what.with_tensors(*held)
        found = _backward(
            upstream[0], a, c, v, value, output, lse, what, ctx.needs_input_grad[4]
        )  # fmt: skip
        return *found, None, None


def _forward(a: Tensor, c: Tensor, v: Tensor, value: Tensor, what: Given) -> tuple[Tensor, Tensor]:
    from regard._kernels.triton_additive import additive_forward

    with torch.cuda.device_of(a):
        return additive_forward(a, c, v, value, what.pattern(a.shape[2], c.shape[2]))


def _backward(
    upstream: Tensor, a: Tensor, c: Tensor, v: Tensor, value: Tensor, output: Tensor, lse: Tensor,
    what: Given, with_bias: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:  # fmt: skip
    from regard._kernels.triton_additive_backward import additive_backward

    with torch.cuda.device_of(a):
        pattern = what.pattern(a.shape[2], c.shape[2])
        of_a, of_c, of_v, of_value, whole = additive_backward(
            upstream, a, c, v, value, output, lse, pattern, with_bias
        )
    of_bias = None if whole is None or what.bias is None else whole.sum_to_size(what.bias.shape)
    return of_a, of_c, of_v, of_value.to(value.dtype), of_bias


def _operator(
    a: Tensor, c: Tensor, v: Tensor, value: Tensor, low: int, high: int, q_ids: Tensor | None,
    k_ids: Tensor | None, mask: Tensor | None, bias: Tensor | None, with_bias: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return _forward(a, c, v, value, Given(low, high, q_ids, k_ids, mask, bias))


def _shapes(a: Tensor, c: Tensor, v: Tensor, value: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return a.new_empty(*a.shape[:3], value.shape[3]), a.new_empty(a.shape[:3])


def _operator_backward(
    upstream: Tensor, a: Tensor, c: Tensor, v: Tensor, value: Tensor, low: int, high: int,
    q_ids: Tensor | None, k_ids: Tensor | None, mask: Tensor | None, bias: Tensor | None,
    with_bias: bool, output: Tensor, lse: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    what = Given(low, high, q_ids, k_ids, mask, bias)
    *found, of_bias = _backward(upstream, a, c, v, value, output, lse, what, with_bias)
    return *found, a.new_empty(0) if of_bias is None else of_bias  # type: ignore[return-value]


def _shapes_of_gradients(
    upstream: Tensor, a: Tensor, c: Tensor, v: Tensor, value: Tensor, *rest: Any
) -> tuple[Tensor, ...]:
    bias, with_bias, *_ = rest[5:]
    shown = (torch.empty_like(x) for x in (a, c, v, value))
    return *shown, torch.empty_like(bias) if with_bias else a.new_empty(0)


_recorded = operation(
    "additive_attention", _operator, _operator_backward, _shapes, gradients=(0, 1, 2, 3, 9),
    kept=(0, 1), shapes_of_gradients=_shapes_of_gradients,
)  # fmt: skip
