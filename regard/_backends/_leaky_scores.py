"""Scores `sum v LeakyReLU(q + k)` of all pairs by loops of our own, differentiable at will.

Forward and backward are the loops'. Where a gradient is itself recorded, or is several at once, it
is taken from the definition instead. An eager call goes to them directly; whoever records or
inspects calls (`torch.compile`, `FakeTensorMode`, every dispatch mode) sees one operation with a
known shape.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition
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
        recorded: Tensor = torch.ops.regard.leaky_scores(query, key, v, slope)
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


@torch.library.custom_op("regard::leaky_scores", mutates_args=(), device_types="cpu")
def _scores_op(query: Tensor, key: Tensor, v: Tensor, slope: float) -> Tensor:
    return leaky_scores.scores(query, key, v, slope)


@_scores_op.register_fake
def _(query: Tensor, key: Tensor, v: Tensor, slope: float) -> Tensor:
    return query.new_empty(*query.shape[:-1], key.shape[-2])


@torch.library.custom_op("regard::leaky_score_gradients", mutates_args=(), device_types="cpu")
def _gradients_op(
    upstream: Tensor, query: Tensor, key: Tensor, v: Tensor, slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    return leaky_scores.gradients(upstream, query, key, v, slope)


@_gradients_op.register_fake
def _(
    upstream: Tensor, query: Tensor, key: Tensor, v: Tensor, slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    return query.new_empty(query.shape), key.new_empty(key.shape), v.new_empty(v.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.slope = inputs
    ctx.save_for_backward(*tensors)


def _back(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    found: tuple[Tensor, ...] = torch.ops.regard.leaky_score_gradients(
        upstream, *ctx.saved_tensors, ctx.slope
    )
    return *found, None


_scores_op.register_autograd(_back, setup_context=_keep)
