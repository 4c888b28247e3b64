"""Attention whose weights are few, with a backward pass that touches these only.

For a row with weights P on the keys that it keeps, and slopes `g = P^power`,

    dP = dO v^T      dS = g * (dP - sum(g dP) / sum(g))
    dq = scale dS k      dk = scale dS^T q      dv = P^T dO

A score_mod that is not merely added, or that learns, takes dS back to the products itself, asked
for these pairs alone. Where that gradient is itself recorded it is taken from the definition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard._backends import _definition, chunked
from regard._backends._call import Call
from regard._backends._held import tensors_of
from regard._backends._rewriting import is_additive
from regard._backends._spans import Piece
from regard._backends._structure import follows_from_numbers
from regard._kernels import sparse_rows
from regard._kernels.in_memory import in_memory
from regard._kernels.sparse_rows import Finish, Kept, Rule

Indices = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Asked:
    """What is asked of products of queries and keys, times a scale.

    The call's tensors are their shapes only.
    """

    call: Call
    scale: float
    pieces: Sequence[Piece]
    rule: Rule

    @property
    def learned(self) -> list[Tensor]:
        """What the score_mod holds that wants a gradient."""
        return [tensor for tensor in tensors_of(self.call.score_mod) if tensor.requires_grad]

    @property
    def asks_mod_again(self) -> bool:
        return not is_additive(self.call) or len(self.learned) > 0

    def indices(self, heads: Tensor, rows: Tensor, keys: Tensor) -> Indices:
        """`b h q k` of some pairs, where heads are counted through all sequences."""
        many, offset = self.call.query.shape[1], self.call.q_offset
        b = heads.div(many, rounding_mode="floor")
        if isinstance(offset, Tensor) and offset.ndim:
            offset = offset[b]
        return b, heads - b * many, rows + offset, keys

    def finish(self) -> Finish:
        """From the scores to those that are normalized."""
        call, groups = self.call, self.call.groups
        shared = follows_from_numbers(call.mask) and not isinstance(call.q_offset, Tensor)
        hidden: dict[Piece, Tensor] = {}  # of one piece, where all heads have the same

        def finish(given: Tensor, some: slice, piece: sparse_rows.Piece) -> Tensor:
            start, stop, first, last = piece
            heads = torch.arange(some.start * groups, some.stop * groups).view(-1, groups, 1, 1)
            rows, keys = torch.arange(start, stop).view(1, 1, -1, 1), torch.arange(first, last)
            indices = self.indices(heads, rows, keys.view(1, 1, 1, -1))
            scores = call.modified(given, *indices)
            if call.mask is None:
                return scores
            at = Piece(*piece)
            if at not in hidden:
                hidden.clear()
                closed = ~call.permitted(*indices)
                if not shared:
                    return scores.masked_fill_(closed, -torch.inf)
                hidden[at] = closed
            return scores.masked_fill_(hidden[at], -torch.inf)

        return finish


def run(query: Tensor, key: Tensor, value: Tensor, asked: Asked) -> Tensor:
    """The output of contiguous float32 queries `[B, H, Q, D]`, keys and values `[B, G, K, …]`."""
    tensors = query, key, value, *asked.learned
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        held = tensors_of(asked.call.score_mod)
        output: Tensor = FewKeys.apply(query, key, value, asked, *held)
        return output
    return _forward(query, key, value, asked, keeps=False)[0]


class FewKeys(torch.autograd.Function):
    """The weighted sum over the keys with weight, with a gradient to all but the mask."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, asked: Asked, *held: Tensor
    ) -> Tensor:
        output, kept = _forward(query, key, value, asked, keeps=True)
        ctx.asked = asked
        # What the score_mod holds is kept, too, so that a change of it is noticed.
        ctx.save_for_backward(query, key, value, *kept, *held)
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *rest = ctx.saved_tensors
        asked, given = ctx.asked, upstream[0]
        held = tensors_of(asked.call.score_mod)
        if _definition.is_asked(given):
            call, inputs = asked.call.where(query=query, key=key, value=value), (query, key, value)
            first = _definition.gradients(lambda: chunked.run(call), (*inputs, *held), given)
            return (*first[:3], None, *first[3:])
        *found, learned = _backward(in_memory(given), query, key, value, asked, Kept(*rest[:4]))
        each = iter(learned)
        return (*found, None, *(next(each) if x.requires_grad else None for x in held))


def _forward(
    query: Tensor, key: Tensor, value: Tensor, asked: Asked, keeps: bool
) -> tuple[Tensor, Kept]:
    q, k, v = _by_key_heads(query.detach(), key.detach(), value.detach())
    output, kept = sparse_rows.attended(
        q, k, v, asked.scale, asked.pieces, asked.rule, asked.finish(), keeps
    )
    return output.view(*query.shape[:3], value.shape[-1]), kept


def _by_key_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Heads of keys as the first axis, then the query heads that share them."""
    batch, heads = key.shape[:2]
    shared = query.shape[1] // heads
    k, v = key.flatten(0, 1), value.flatten(0, 1)
    return query.view(batch * heads, shared, *query.shape[2:]), k, v


def _backward(
    given: Tensor, query: Tensor, key: Tensor, value: Tensor, asked: Asked, kept: Kept
) -> tuple[Any, ...]:
    """The gradients to query, key and value, and those to what the score_mod learns."""
    q, k, v = _by_key_heads(query, key, value)
    up = given.view(*q.shape[:3], value.shape[-1])
    dv = sparse_rows.sums_to_keys(kept.weights, up, v, kept).view(value.shape)
    power = asked.rule.power
    if power is None:
        return None, None, dv, [None] * len(asked.learned)
    change = sparse_rows.products(up, v, kept)
    change, learned = sparse_rows.changes_of_scores(change, kept, power), []
    if asked.asks_mod_again:
        scores = sparse_rows.products(q, k, kept).mul_(asked.scale)
        change, *learned = _through_mod(asked, scores, change, kept)
    change = change * asked.scale
    dq = sparse_rows.sums_to_queries(change, q, k, kept).view(query.shape)
    dk = sparse_rows.sums_to_keys(change, q, k, kept).view(key.shape)
    return dq, dk, dv, learned


def _through_mod(asked: Asked, given: Tensor, change: Tensor, kept: Kept) -> list[Tensor]:
    """The change of the scores that the score_mod is given, and of what the score_mod learns."""
    starts, counts = kept.starts.flatten(), kept.counts.flatten()
    order = starts.argsort(stable=True)
    rows = order.repeat_interleave(counts[order])
    heads = rows.div(asked.call.q_len, rounding_mode="floor")
    indices = asked.indices(heads, rows - heads * asked.call.q_len, kept.places.long())
    with torch.enable_grad():
        given.requires_grad_()
        scores = asked.call.modified(given, *indices)
        wanted = [given, *asked.learned]
        found = torch.autograd.grad(scores, wanted, change, allow_unused=True)
    changed = torch.zeros_like(given) if found[0] is None else found[0].contiguous()
    return [changed, *found[1:]]
