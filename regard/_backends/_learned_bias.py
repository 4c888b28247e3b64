"""SDPA on a CPU with a bias that has a gradient, for which PyTorch has no fused kernel there.

Forward it is the fused kernel, to which the bias is a mask like any other. Backward the scores are
computed again, some heads at a time, so that of all that has their size only the gradient of the
bias is ever whole:

    P = softmax(s q k^T + bias)      dP = dO v^T       dS = P * (dP - sum(dO * O))
    dq = s dS k      dk = s dS^T q      dv = P^T dO      dbias = dS

With dropout D, for which there is no such kernel at all, the forward pass takes some heads at a
time, too; of the weights that were left out one byte each is kept. Then D stands beside P in dv
and beside dP.

Where that gradient is itself recorded it is taken from the definition instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends._bind import ignoring_autocast
from regard._backends._definition import is_asked
from regard._backends._kept import draw_kept

HEADS_BYTES = 4 << 20
"""Scores of so many heads at once: what stays in a core's cache, yet is worth a call."""

Recorded = Callable[[Tensor, tuple[Tensor, ...], float, bool], tuple[Tensor | None, ...]]


@dataclass(frozen=True)
class Asked:
    """What scores are multiplied by, and what weights that a dropout keeps are multiplied by."""

    scale: float
    larger: float


class LearnedBias(torch.autograd.Function):
    """`dropout(softmax(scale q k^T + bias)) v`, with a gradient to all four."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float,
        dropout: float, recorded: Recorded,
    ) -> Tensor:  # fmt: skip
        kept = None
        ctx.call = Asked(scale, 1.0)
        if dropout > 0.0:
            kept = torch.empty(*query.shape[:3], key.shape[2], dtype=torch.bool)
            ctx.call = Asked(scale, draw_kept(kept, dropout))
            output = _dropped(query, key, value, bias, kept, ctx.call)
        else:
            # Whatever wants a gradient, PyTorch takes no fused kernel for, recorded or not.
            output = F.scaled_dot_product_attention(query, key, value, bias.detach(), scale=scale)
        ctx.save_for_backward(query, key, value, bias, output, kept)
        ctx.recorded = recorded
        return output

    @staticmethod
    @ignoring_autocast
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, output, kept = ctx.saved_tensors
        if is_asked(upstream[0]):
            found = ctx.recorded(upstream[0], tuple(inputs), ctx.call.scale, kept is not None)
        else:
            found = _gradients(upstream[0], inputs, output, kept, ctx.call)
        return (*found, None, None, None)


def _dropped(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, kept: Tensor, call: Asked
) -> Tensor:
    """The output, some of whose weights are left out; PyTorch has no fused kernel for it here."""
    batch, heads, q_len, _ = query.shape
    q, k, v, keeps = (x.flatten(0, 1) for x in (query, key, value, kept))
    bias = bias.expand(batch, heads, q_len, key.shape[2])
    output = q.new_empty(batch * heads, q_len, v.shape[2])
    for rows, some, here in _portions(batch, heads, q_len * key.shape[2] * q.element_size()):
        weights = _weights(bias[rows, some], q[here], k[here], call.scale)
        torch.bmm(weights.mul_(keeps[here]), v[here], out=output[here])
    return output.mul_(call.larger).unflatten(0, (batch, heads))


def _weights(bias: Tensor, query: Tensor, key: Tensor, scale: float) -> Tensor:
    """The weights of some heads; none of a query that sees nothing."""
    added = bias.reshape(-1, *bias.shape[2:])
    scores = torch.baddbmm(added, query, key.mT, alpha=scale)
    weights = torch.softmax(scores, -1)
    # Its scores are all minus infinity, and what a softmax makes of them is no number.
    blind = weights[:, :, :1].isnan()
    if bool(blind.any()):
        weights.masked_fill_(blind & (scores.amax(-1, keepdim=True) == -torch.inf), 0.0)
    return weights


def _gradients(
    upstream: Tensor, inputs: Sequence[Tensor], output: Tensor, kept: Tensor | None, call: Asked
) -> tuple[Tensor, ...]:
    query, key, value, bias = inputs
    batch, heads, q_len, _ = query.shape
    k_len, shape = key.shape[2], bias.shape
    q, k, v, given = (x.flatten(0, 1) for x in (query, key, value, upstream))
    bias = bias.expand(batch, heads, q_len, k_len)
    inner = (upstream * output).sum(-1, keepdim=True).flatten(0, 1)
    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    whole = q.new_empty(batch * heads, q_len, k_len)
    for rows, some, here in _portions(batch, heads, q_len * k_len * q.element_size()):
        weights = _weights(bias[rows, some], q[here], k[here], call.scale)
        change = torch.bmm(given[here], v[here].mT, out=whole[here])
        if kept is None:
            torch.bmm(weights.mT, given[here], out=dv[here])
        else:
            keeps = kept.flatten(0, 1)[here]
            torch.bmm((weights * keeps).mT, given[here], out=dv[here])
            change.mul_(keeps).mul_(call.larger)
        change.sub_(inner[here]).mul_(weights)
        torch.bmm(change, k[here], out=dq[here])
        torch.bmm(change.mT, q[here], out=dk[here])
    for grown, by in ((dq, call.scale), (dk, call.scale), (dv, call.larger)):
        if by != 1.0:
            grown.mul_(by)
    split = [x.unflatten(0, (batch, heads)) for x in (dq, dk, dv, whole)]
    return (*split[:3], split[3].sum_to_size(shape))


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
