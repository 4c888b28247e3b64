"""SDPA on a CPU with a bias that has a gradient, for which PyTorch has no fused kernel there.

Forward it is the fused kernel, to which the bias is a mask like any other. Backward the scores are
computed again, some heads at a time, so that of all that has their size only the gradient of the
bias is ever whole:

    P = softmax(s q k^T + bias)      dP = dO v^T       dS = P * (dP - sum(dO * O))
    dq = s dS k      dk = s dS^T q      dv = P^T dO      dbias = dS

Where that gradient is itself recorded it is taken from the definition instead.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

HEADS_BYTES = 4 << 20
"""Scores of so many heads at once: what stays in a core's cache, yet is worth a call."""

Recorded = Callable[[Tensor, tuple[Tensor, ...], float], tuple[Tensor | None, ...]]


class LearnedBias(torch.autograd.Function):
    """`softmax(scale q k^T + bias) v`, with a gradient to all four."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float,
        recorded: Recorded,
    ) -> Tensor:  # fmt: skip
        # Whatever wants a gradient, PyTorch takes no fused kernel for, recorded or not.
        output = F.scaled_dot_product_attention(query, key, value, bias.detach(), scale=scale)
        ctx.save_for_backward(query, key, value, bias, output)
        ctx.scale, ctx.recorded = scale, recorded
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, output = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*ctx.recorded(upstream[0], tuple(inputs), ctx.scale), None, None)
        return (*_gradients(upstream[0], inputs, output, ctx.scale), None, None)


def _gradients(
    upstream: Tensor, inputs: Sequence[Tensor], output: Tensor, scale: float
) -> tuple[Tensor, ...]:
    query, key, value, bias = inputs
    batch, heads, q_len, _ = query.shape
    k_len, shape = key.shape[2], bias.shape
    q, k, v, given = (x.flatten(0, 1) for x in (query, key, value, upstream))
    bias = bias.expand(batch, heads, q_len, k_len)
    inner = (upstream * output).sum(-1, keepdim=True).flatten(0, 1)
    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    whole = q.new_empty(batch * heads, q_len, k_len)
    # A query that sees nothing has the output zero, and scores that are all minus infinity.
    some_see_nothing = bool((output == 0).all(-1).any())
    for rows, some, here in _portions(batch, heads, q_len * k_len * q.element_size()):
        added = bias[rows, some].reshape(-1, q_len, k_len)
        scores = torch.baddbmm(added, q[here], k[here].mT, alpha=scale)
        weights = torch.softmax(scores, -1)
        if some_see_nothing:
            weights.masked_fill_(scores.amax(-1, keepdim=True) == -torch.inf, 0.0)
        torch.bmm(weights.mT, given[here], out=dv[here])
        change = torch.bmm(given[here], v[here].mT, out=whole[here])
        change.sub_(inner[here]).mul_(weights)
        torch.bmm(change, k[here], out=dq[here])
        torch.bmm(change.mT, q[here], out=dk[here])
    split = [x.mul_(scale).unflatten(0, (batch, heads)) for x in (dq, dk)]
    bias_change = whole.unflatten(0, (batch, heads)).sum_to_size(shape)
    return split[0], split[1], dv.unflatten(0, (batch, heads)), bias_change


def _portions(batch: int, heads: int, size: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows, heads and both as one axis: whole rows where they are small, else a row's heads."""
    step = max(1, HEADS_BYTES // max(1, size))
    rows = max(1, step // max(1, heads))
    for row in range(0, batch, rows):
        last = min(row + rows, batch)
        for first in range(0, heads, heads if rows > 1 else step):
            end = heads if rows > 1 else min(first + step, heads)
            here = slice(row * heads + first, (last - 1) * heads + end)
            yield slice(row, last), slice(first, end), here
