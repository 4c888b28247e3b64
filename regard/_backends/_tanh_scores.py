"""Scores `sum v tanh(q + k)` of all pairs by loops of our own, differentiable at will.

Forward and backward are the loops'. Where a gradient is itself recorded, or is several at once, it
is taken from the definition instead. An eager call goes to them directly; whoever records or
inspects calls (`torch.compile`, `FakeTensorMode`, every dispatch mode) sees one operation with a
known shape.
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition
from regard._kernels import kept, tanh_scores
from regard._torch_private import is_traced
from regard.scores.additive import tanh_sum


def tanh_scores_of(query: Tensor, key: Tensor, v: Tensor | None) -> Tensor:
    """`[B, H, Q, K]` of projected queries and keys in float32; None stands for a `v` of ones."""
    if v is None:
        v = query.new_ones(query.shape[-1])
    elif v.dtype != query.dtype:
        v = v.to(query.dtype)
    if is_traced():
        recorded: Tensor = torch.ops.regard.tanh_scores(query, key, v)
        return recorded
    found: Tensor = _TanhScores.apply(query, key, v)
    return found


class _TanhScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, key, v)
        of_query, of_key = tanh_scores.exponentials(query), kept.exponentials(key, query.shape[2])
        ctx.held = of_query, of_key
        return tanh_scores.scores(of_query, of_key, v)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        if _definition.is_asked(upstream[0]):
            return _definition.gradients(lambda: tanh_sum(*inputs), inputs, upstream[0])
        of_query, of_key = ctx.held
        return tanh_scores.gradients(upstream[0], of_query, of_key, inputs[2])


@torch.library.custom_op("regard::tanh_scores", mutates_args=(), device_types="cpu")
def _scores_op(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    exponentials = tanh_scores.exponentials
    return tanh_scores.scores(exponentials(query), exponentials(key), v)


@_scores_op.register_fake
def _(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    return query.new_empty(*query.shape[:-1], key.shape[-2])


@torch.library.custom_op("regard::tanh_score_gradients", mutates_args=(), device_types="cpu")
def _gradients_op(
    upstream: Tensor, query: Tensor, key: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    exponentials = tanh_scores.exponentials
    return tanh_scores.gradients(upstream, exponentials(query), exponentials(key), v)


@_gradients_op.register_fake
def _(upstream: Tensor, query: Tensor, key: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query.new_empty(query.shape), key.new_empty(key.shape), v.new_empty(v.shape)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _back(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    found: tuple[Tensor | None, ...] = torch.ops.regard.tanh_score_gradients(
        upstream, *ctx.saved_tensors
    )
    return found


_scores_op.register_autograd(_back, setup_context=_keep)
