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
from regard._backends._call import Call, repeat_heads
from regard._backends._held import tensors_of
from regard._backends._rates import has_faster_tiles
from regard._backends._rewriting import is_additive
from regard._backends._spans import Piece, intervals, pieces
from regard._backends._structure import follows_from_numbers
from regard._kernels import sparse_rows
from regard._kernels.in_memory import in_memory
from regard._kernels.sparse_rows import SCORES, Finish, Kept, Rule
from regard.scores import ScaledDot

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
    shares_mask: bool
    """Whether all heads of all sequences have the same mask."""

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

    @classmethod
    def of(cls, call: Call, scale: float, rule: Rule, shares_mask: bool | None = None) -> "Asked":
        """What a call asks, whose tensors are looked at for their shapes only."""
        shells = {
            name: torch.zeros((), dtype=torch.float32).expand(x.shape)
            for name, x in (("query", call.query), ("key", call.key), ("value", call.value))
        }
        if shares_mask is None:
            same = not isinstance(call.q_offset, Tensor)
            shares_mask = same and follows_from_numbers(call.mask)
        plain = call.where(score=ScaledDot(scale), **shells)
        return cls(plain, scale, cut(call), rule, shares_mask)

    def finish(self) -> Finish:
        """From the scores to those that are normalized."""
        call, groups = self.call, self.call.groups
        hidden: dict[Piece, Tensor] = {}  # of one piece

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
                if not self.shares_mask:
                    return scores.masked_fill_(closed, -torch.inf)
                hidden[at] = closed[:1, :1]
            return scores.masked_fill_(hidden[at], -torch.inf)

        return finish


def cut(call: Call) -> list[Piece]:
    """Some queries each, and the keys that they meet."""
    found = None if call.mask is None else intervals(call)
    if found is not None:
        return list(pieces(*found, call.lead, SCORES))
    rows = max(1, SCORES // max(1, call.k_len))
    return [
        Piece(start, min(start + rows, call.q_len), 0, call.k_len)
        for start in range(0, call.q_len, rows)
    ]


def run(query: Tensor, key: Tensor, value: Tensor, asked: Asked) -> Tensor:
    """The output of contiguous float32 queries `[B, H, Q, D]`, keys and values `[B, G, K, …]`."""
    tensors = query, key, value, *asked.learned
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        held = tensors_of(asked.call.score_mod)
        output: Tensor = FewKeys.apply(query, key, value, asked, *held)
        return output
    return forward(query, key, value, asked, keeps=False)[0]


def marked(output: Tensor, value: Tensor) -> Tensor:
    """NaN wherever a key that all see has a value that is not finite: times zero it is NaN."""
    value = value.detach()
    if bool(value.sum(dtype=torch.float64).isfinite()):
        return output
    bad = ~value.isfinite().all(2, keepdim=True)
    return output.masked_fill(repeat_heads(bad, output.shape[1] // value.shape[1]), torch.nan)


class FewKeys(torch.autograd.Function):
    """The weighted sum over the keys with weight, with a gradient to all but the mask."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, asked: Asked, *held: Tensor
    ) -> Tensor:
        output, kept = forward(query, key, value, asked, keeps=True)
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
        *found, learned = backward(in_memory(given), query, key, value, asked, Kept(*rest[:4]))
        each = iter(learned)
        return (*found, None, *(next(each) if x.requires_grad else None for x in held))


def forward(
    query: Tensor, key: Tensor, value: Tensor, asked: Asked, keeps: bool
) -> tuple[Tensor, Kept]:
    """The output, and what has weight, if that is to be kept, of what `run` is given."""
    q, k, v = _by_key_heads(query.detach(), key.detach(), value.detach())
    output, kept = sparse_rows.attended(
        q,
        k,
        v,
        asked.scale,
        asked.pieces,
        asked.rule,
        asked.finish(),
        keeps,
        has_faster_tiles(torch.float32),
    )
    return output.view(*query.shape[:3], value.shape[-1]), kept


def _by_key_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Heads of keys as the first axis, then the query heads that share them."""
    batch, heads = key.shape[:2]
    shared = query.shape[1] // heads
    k, v = key.flatten(0, 1), value.flatten(0, 1)
    return query.view(batch * heads, shared, *query.shape[2:]), k, v


def backward(
    given: Tensor, query: Tensor, key: Tensor, value: Tensor, asked: Asked, kept: Kept
) -> tuple[Any, ...]:
    """The gradients to query, key and value, and those to what the score_mod learns.

    Without a gradient to scores the first two are None.
    """
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
