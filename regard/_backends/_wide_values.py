"""Softmax attention on a CPU where values are much wider than keys, some queries at a time.

A fused kernel wants one width, so keys of 16 beside values of 128 would be multiplied as if they
were of 128. Here each product has its own width. The scores of some queries are written into one
array that stays in the cache, become weights in place, and are written over by the next ones.
Backward they are computed again:

    P = softmax(s q k^T)      dP = dO v^T      dS = P * (dP - sum(dO * O))
    dq = s dS k      dk = s dS^T q      dv = P^T dO

Where that gradient is itself recorded it is taken from the definition instead.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._definition import is_asked
from regard._backends._derivatives import recorded
from regard._backends._rates import Rates
from regard._backends._rewriting import dot_form
from regard._backends._structure import temperature
from regard._torch_private import is_ordinary

BLOCK_BYTES = 8 << 20
"""Scores of so many queries at once: what stays in a processor's cache, yet is worth a call."""
WIDER = 2
"""Times that values must be wider than keys: then the padding costs more than what is saved."""
LEAST = 64
"""Width of values below which the padding is too small to matter."""
MANY = 1 << 18
"""Pairs below which the kernel is done before this has begun."""


def serves(call: Call) -> bool:
    """Whether this is such a call, and one in which nothing is asked of single pairs."""
    query, value = call.query, call.value
    return (
        is_ordinary()
        and query.device.type == "cpu"
        and query.dtype in (torch.float32, torch.float64)
        and call.groups == 1
        and call.mask is None
        and call.score_mod is None
        and call.dropout == 0.0
        and value.shape[-1] >= max(LEAST, WIDER * query.shape[-1], WIDER * call.key.shape[-1])
        and call.q_len * call.k_len >= MANY
    )


def seconds(call: Call, rates: Rates) -> float:
    """Two products of their own widths, and a softmax that stays in the cache."""
    pairs = call.lead * call.q_len * call.k_len
    both = call.query.shape[-1] + call.value.shape[-1]
    steps = 8 + 4 * -(-pairs * call.exact.itemsize // BLOCK_BYTES)
    return rates.seconds(steps, matmul=2 * pairs * both, numbers=pairs)


def run(call: Call) -> Tensor:
    """`softmax(score) @ value`."""
    form = dot_form(call)
    query, key, value = form.query, form.key, call.value.to(form.query.dtype)
    scale = form.scale / temperature(call.normalizer)
    if isinstance(scale, Tensor):  # one that is learned goes into the query
        query, scale = query * scale, 1.0
    if torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value)):
        output: Tensor = WideValues.apply(query, key, value, scale)
    else:
        output = _forward(query, key, value, scale)
    return output.to(call.query.dtype)


class WideValues(torch.autograd.Function):
    """`softmax(scale q k^T) v`, some queries at a time, forward and backward."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        output = _forward(query, key, value, scale)
        ctx.save_for_backward(query, key, value, output)
        ctx.scale = scale
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, output = ctx.saved_tensors
        if is_asked(upstream[0]):
            return (*recorded(upstream[0], tuple(inputs), ctx.scale, False), None)
        return (*_backward(upstream[0], inputs, output, ctx.scale), None)


def _forward(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    batch, heads, q_len, _ = query.shape
    output = query.new_empty(batch, heads, q_len, value.shape[-1])
    rows, (weights,) = _blocks(query, key, 1)
    for b, h in _each_head(batch, heads):
        q, k, v = query[b, h].detach() * scale, key[b, h].detach(), value[b, h].detach()
        for start in range(0, q_len, rows):
            here = slice(start, start + rows)
            some = _weights(q[here], k, weights)
            torch.mm(some, v, out=output[b, h, here])
    return output


def _backward(
    upstream: Tensor, inputs: list[Tensor], output: Tensor, scale: float
) -> tuple[Tensor, ...]:
    query, key, value = inputs
    batch, heads, q_len, _ = query.shape
    inner = (upstream * output).sum(-1, keepdim=True)
    dq, dk, dv = (torch.zeros_like(x, memory_format=torch.contiguous_format) for x in inputs)
    rows, (weights, changes) = _blocks(query, key, 2)
    for b, h in _each_head(batch, heads):
        q, k, v, given = query[b, h] * scale, key[b, h], value[b, h], upstream[b, h]
        for start in range(0, q_len, rows):
            here = slice(start, start + rows)
            some = _weights(q[here], k, weights)
            change = torch.mm(given[here], v.mT, out=changes[: some.shape[0]])
            dv[b, h].addmm_(some.mT, given[here])
            change.sub_(inner[b, h, here]).mul_(some)
            torch.mm(change, k, out=dq[b, h, here])
            dk[b, h].addmm_(change.mT, q[here])
    return dq.mul_(scale), dk, dv


def _weights(query: Tensor, key: Tensor, space: Tensor) -> Tensor:
    """The weights of some queries, in the space that they all share."""
    scores = torch.mm(query, key.mT, out=space[: query.shape[0]])
    return torch.softmax(scores, -1, out=scores)


def _blocks(query: Tensor, key: Tensor, arrays: int) -> tuple[int, list[Tensor]]:
    """How many queries are served at once, and so many arrays for their scores."""
    k_len = key.shape[2]
    rows = max(1, min(query.shape[2], BLOCK_BYTES // max(1, k_len * query.element_size())))
    return rows, [query.new_empty(rows, k_len) for _ in range(arrays)]


def _each_head(batch: int, heads: int) -> Iterator[tuple[int, int]]:
    return ((b, h) for b in range(batch) for h in range(heads))
