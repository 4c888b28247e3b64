"""Attention by blocks (`_kernels/blocked.py`) with its gradients, eager and as a node of a graph.

Eager calls are an autograd function; a graph holds an opaque operation, which costs 20 µs more.
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition, chunked
from regard._backends._call import Call
from regard._backends._operation import operation
from regard._kernels import blocked
from regard._kernels.blocked import Spans, Weighed
from regard._kernels.in_memory import in_one_piece
from regard.masks import KeyCounts
from regard.normalizers import softmax
from regard.scores import ScaledDot


def counted(ends: Tensor, query: Tensor) -> Spans:
    """What the queries see, and how much that is."""
    return Spans.of(ends, query.shape[0], query.shape[2])


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float, spans: Spans) -> Tensor:
    """The output of an eager call on float32 tensors in memory; the scale is above zero."""
    query, key, value = in_one_piece(query), in_one_piece(key), in_one_piece(value)
    if torch.is_grad_enabled() and (
        query.requires_grad or key.requires_grad or value.requires_grad
    ):
        recorded: Tensor = _Blocked.apply(query, key, value, scale, spans)
        return recorded
    return blocked.forward(query, key, value, scale, spans).output


class _Blocked(torch.autograd.Function):
    """The two passes; a gradient that is itself recorded, or several, is the definition's."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, spans: Spans
    ) -> Tensor:
        found = blocked.forward(query, key, value, scale, spans)
        ctx.save_for_backward(query, key, value, *found)
        ctx.scale, ctx.spans = scale, spans
        return found.output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *found = ctx.saved_tensors
        if _definition.is_asked(upstream[0]):
            given = _recorded(upstream[0], (query, key, value), ctx.scale, ctx.spans.ends)
        else:
            given = blocked.backward(
                upstream[0], query, key, value, Weighed(*found), ctx.scale, ctx.spans
            )
        return (*given, None, None)


def _recorded(
    upstream: Tensor, inputs: tuple[Tensor, Tensor, Tensor], scale: float, ends: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients through the definition, recorded on the way."""
    low, high = (KeyCounts(end).aligned(0) for end in ends)
    call = Call(*inputs, ScaledDot(scale), None, high & ~low, softmax, 0.0, 0)
    return _definition.gradients(lambda: chunked.run(call), inputs, upstream)


def _forward(
    query: Tensor, key: Tensor, value: Tensor, scale: float, ends: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = in_one_piece(query), in_one_piece(key), in_one_piece(value)
    output, tops, sums = blocked.forward(query, key, value, scale, counted(ends, query))
    return output, tops, sums


def _shapes(
    query: Tensor, key: Tensor, value: Tensor, scale: float, ends: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    batch, heads, q_len, _ = query.shape
    output = query.new_empty(batch, q_len, heads, value.shape[3]).transpose(1, 2)
    return output, query.new_empty(batch, heads, q_len), query.new_empty(batch, heads, q_len)


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, scale: float, ends: Tensor,
    output: Tensor, tops: Tensor, sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    query, key, value = in_one_piece(query), in_one_piece(key), in_one_piece(value)
    found = Weighed(in_one_piece(output), tops.contiguous(), sums.contiguous())
    spans = counted(ends, query)
    dq, dk, dv = blocked.backward(upstream, query, key, value, found, scale, spans)
    return dq.contiguous(), dk.contiguous(), dv.contiguous()


_operation = operation("blocked", _forward, _backward, _shapes, gradients=(0, 1, 2), kept=(0, 1, 2))


def attend_recorded(
    query: Tensor, key: Tensor, value: Tensor, scale: float, ends: Tensor
) -> Tensor:
    """The output of a call that is recorded; `ends` is as `Spans` has it."""
    output: Tensor = _operation(query, key, value, scale, ends)[0]
    return output
