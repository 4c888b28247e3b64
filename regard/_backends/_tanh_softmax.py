"""Softmax of sums of tanh and nothing else: scores, mask, weights, weighted sum as one node.

Long calls go by chunks of queries, each a node. A recurrent decoder's step is too small for its
operations to be many: there the exponentials of the keys are kept from step to step. Where a
gradient is itself recorded it is taken from the definition.
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition, chunked
from regard._backends._call import Call, repeat_heads
from regard._backends._spans import Piece
from regard._backends._structure import is_softmax, temperature
from regard._kernels import kept, tanh_blocks, tanh_steps
from regard._kernels.in_memory import in_memory, in_one_piece
from regard._numbers import scalar
from regard._torch_private import is_any_autocast, is_traced
from regard.normalizers import softmax
from regard.scores.additive import tanh_sum

FEW = 16
"""Queries up to which each is served by itself: a panel takes as long as so many."""

PANEL = 32
"""Queries that are served together, or fewer in the same time."""


def serves(call: Call) -> bool:
    """Whether there is softmax and nothing else around the scores."""
    return (
        is_softmax(call.normalizer)
        and call.score_mod is None
        and call.dropout == 0.0
        and not is_traced()
        and not is_any_autocast()
        and 0 not in call.query.shape
        and 0 not in call.value.shape
    )


def is_step(call: Call) -> bool:
    """Whether a call that it serves is a decoder's step: few queries, and keys that stay."""
    return call.q_len <= kept.FEW


def served(q_len: int) -> int:
    """Queries that take as long as so many, in a panel or by themselves."""
    return 2 * q_len if q_len <= FEW else -(-q_len // PANEL) * PANEL


def run(call: Call, query: Tensor, key: Tensor, v: Tensor | None) -> Tensor:
    """The output of a call whose queries and keys are projected, in at least float32."""
    v = query.new_ones(query.shape[-1]) if v is None else v.to(query.dtype)
    if call.normalizer is not softmax:
        v = v / scalar(temperature(call.normalizer), v)
    if is_step(call):
        permitted = call.permitted(*call.indices)
        return _attended(query, key, call.value.to(call.exact), v, permitted)

    def attend(call: Call, query: Tensor, key: Tensor, value: Tensor, chunk: Piece) -> Tensor:
        permitted = call.permitted(*chunked.indices(call, key, chunk))
        return _attended(query, key, value, v, permitted)

    return chunked.in_chunks(call, attend)


def _attended(query: Tensor, key: Tensor, value: Tensor, v: Tensor, permitted: Tensor) -> Tensor:
    value = in_one_piece(value)
    permitted = permitted.expand(*query.shape[:3], key.shape[2])
    output: Tensor = _Attention.apply(query, key, value, v, permitted)
    return output


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, v: Tensor, permitted: Tensor
    ) -> Tensor:
        ctx.kernel = tanh_steps if query.shape[2] <= FEW else tanh_blocks
        v = in_memory(v)
        output, *ctx.held = ctx.kernel.attend(query, key, value, v, permitted)
        ctx.save_for_backward(query, key, value, v, permitted, output)
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, v, permitted, output = ctx.saved_tensors
        if _definition.is_asked(upstream[0]):
            inputs = query, key, value, v
            found = _definition.gradients(lambda: _defined(*inputs, permitted), inputs, upstream[0])
            return (*found, None)
        weighed, gradients = ctx.kernel.Weighed(output, *ctx.held), ctx.kernel.gradients
        return (*gradients(upstream[0], weighed, query, key, value, v, permitted), None)


def _defined(query: Tensor, key: Tensor, value: Tensor, v: Tensor, permitted: Tensor) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    scores = tanh_sum(query, repeat_heads(key, groups), v)
    return softmax(scores, permitted) @ repeat_heads(value, groups)
