"""Scores `sum v tanh(q + k)` of all pairs by loops of our own, differentiable at will.

Forward and backward are the loops'. Where a gradient is itself recorded, or is several at once, it
is taken from the definition instead. Recorded graphs have them as an operation (`_operation.py`).
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition
from regard._backends._operation import operation
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
        recorded: Tensor = _recorded(query, key, v)
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


def _forward(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    exponentials = tanh_scores.exponentials
    return tanh_scores.scores(exponentials(query), exponentials(key), v)


def _shapes(query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    return query.new_empty(*query.shape[:-1], key.shape[-2])


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    exponentials = tanh_scores.exponentials
    return tanh_scores.gradients(upstream, exponentials(query), exponentials(key), v)


_recorded = operation("tanh_scores", _forward, _backward, _shapes, gradients=(0, 1, 2))
