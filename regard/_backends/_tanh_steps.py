"""Few queries over the same keys, scored by sums of tanh: a recurrent decoder's step as one node.

Such a step is too small for its operations to be many. Scores, softmax and the sum of the values
are one call, and one more backward; the exponentials of the keys are kept from step to step. Where
a gradient is itself recorded it is taken from the definition.
"""

from typing import Any

import torch
from torch import Tensor

from regard._backends._call import Call, repeat_heads
from regard._kernels import kept, tanh_scores, tanh_steps
from regard._torch_private import is_any_autocast, is_traced
from regard.normalizers import softmax
from regard.scores.additive import tanh_sum


def serves(call: Call) -> bool:
    """Whether a call is a step: few queries, softmax and nothing else around it."""
    return (
        call.q_len <= kept.FEW
        and call.normalizer is softmax
        and call.score_mod is None
        and call.dropout == 0.0
        and not is_traced()
        and not is_any_autocast()
        and 0 not in call.query.shape
        and 0 not in call.value.shape
    )


def run(call: Call, query: Tensor, key: Tensor, v: Tensor | None) -> Tensor:
    """The output of a step whose queries and keys are projected, in at least float32."""
    value = call.value.to(call.exact)
    value = value if value.stride(-1) == 1 else value.contiguous()
    v = query.new_ones(query.shape[-1]) if v is None else v.to(query.dtype)
    permitted = call.permitted(*call.indices).expand(*query.shape[:3], call.k_len).contiguous()
    output: Tensor = _Step.apply(query, key, value, v, permitted)
    return output


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, v: Tensor, permitted: Tensor
    ) -> Tensor:
        of_query, of_key = tanh_scores.exponentials(query), kept.exponentials(key, query.shape[2])
        v = v.contiguous()
        output, weights = tanh_steps.attend(of_query, of_key, value, v, permitted)
        ctx.save_for_backward(query, key, value, v, permitted)
        ctx.held = of_query, of_key, weights
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, v, permitted = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_recorded(upstream[0], (query, key, value, v), permitted), None)
        of_query, of_key, weights = ctx.held
        to_scores, to_value = tanh_steps.gradients(upstream[0], weights, value)
        batch, heads = query.shape[:2]
        # The queries of heads that share keys are as many more queries of one head.
        shared = to_scores.view(batch, key.shape[1], -1, key.shape[2])
        to_query, to_key, to_v = tanh_scores.gradients(shared, of_query, of_key, v)
        return to_query.view(query.shape), to_key, to_value, to_v, None


def _recorded(
    upstream: Tensor, inputs: tuple[Tensor, ...], permitted: Tensor
) -> tuple[Tensor | None, ...]:
    """The same gradients through the definition, recorded on the way."""
    query, key, value, v = inputs
    groups = query.shape[1] // key.shape[1]
    scores = tanh_sum(query, repeat_heads(key, groups), v)
    output = softmax(scores, permitted) @ repeat_heads(value, groups)
    asked = [x for x in inputs if x.requires_grad]
    found = iter(torch.autograd.grad(output, asked, upstream, create_graph=True))
    return tuple(next(found) if x.requires_grad else None for x in inputs)
