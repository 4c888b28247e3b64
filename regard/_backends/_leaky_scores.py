"""Scores `sum v LeakyReLU(q + k)` of all pairs by loops of our own, differentiable at will.

Forward and backward are the loops'. Where a gradient is itself recorded, or is several at once, it
is taken from the definition instead. Recorded graphs have them as an operation (`_operation.py`).
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition
from regard._backends._operation import operation
from regard._kernels import leaky_scores
from regard._torch_private import is_traced
from regard.scores.gatv2 import leaky_sum


def leaky_scores_of(query: Tensor, key: Tensor, v: Tensor | None, slope: float) -> Tensor:
    """`[B, H, Q, K]` of projected queries and keys in float32; None stands for a `v` of ones."""
    if v is None:
        v = query.new_ones(query.shape[-1])
    elif v.dtype != query.dtype:
        v = v.to(query.dtype)
    if is_traced():
        recorded: Tensor = _recorded(query, key, v, slope)
        return recorded
    found: Tensor = _LeakyScores.apply(query, key, v, slope)
    return found


class _LeakyScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, v: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(query, key, v)
        ctx.slope = slope
        return leaky_scores.scores(query, key, v, slope)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (query, key, v), slope = ctx.saved_tensors, ctx.slope
        if _definition.is_asked(upstream[0]):
            scores = partial(leaky_sum, query, key, v, slope)
            found = _definition.gradients(scores, (query, key, v), upstream[0])
        else:
            found = leaky_scores.gradients(upstream[0], query, key, v, slope)
        return (*found, None)


def _forward(query: Tensor, key: Tensor, v: Tensor, slope: float) -> Tensor:
    return leaky_scores.scores(query, key, v, slope)


def _shapes(query: Tensor, key: Tensor, v: Tensor, slope: float) -> Tensor:
    return query.new_empty(*query.shape[:-1], key.shape[-2])


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, v: Tensor, slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    return leaky_scores.gradients(upstream, query, key, v, slope)


_recorded = operation("leaky_scores", _forward, _backward, _shapes, gradients=(0, 1, 2))
