"""Attention by blocks (`_kernels/blocked.py`) with its gradients, eager and as a node of a graph.

Eager calls are an autograd function; a graph holds an opaque operation, which costs 20 µs more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard._backends import _definition, chunked
from regard._backends._call import Call
from regard._backends._finite import are_finite
from regard._backends._intervals import between_ends
from regard._backends._kept import draw_seed, kept_of
from regard._backends._operation import operation
from regard._kernels import blocked
from regard._kernels.blocked import OUT_OF, Dropping, Spans, Weighed
from regard._kernels.blocked import Between as Between
from regard._kernels.in_memory import in_one_piece
from regard._kernels.links import (
    ByDistance,
    ByPair,
    Cap,
    Form,
    Link,
    Relative,
    form_of,
    tensors_of,
)
from regard._typing import Normalizer, ScoreMod
from regard.normalizers import sigmoid, softmax
from regard.score_mods import Bias, Chain, RelativeDot, SoftCap
from regard.scores import ScaledDot


def counted(ends: Tensor, query: Tensor) -> Spans:
    """What the queries see, and how much that is."""
    return Spans.of(ends, query.shape[0], query.shape[2])


def attend(
    query: Tensor, key: Tensor, value: Tensor, links: Sequence[Link] = (), *, between: Between,
    spans: Spans, dropout: float = 0.0,
) -> Tensor:  # fmt: skip
    """The output of an eager call on float32 tensors."""
    rule = Rule(between, form_of(links), Dropping())
    if dropout > 0.0:
        rule = rule._replace(dropping=Dropping(int(draw_seed().item()), kept_of(dropout)))
    inputs = _in_memory(query, key, value, *(x for link in links for x in tensors_of(link)))
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        output: Tensor = _Blocked.apply(rule, spans, *inputs)
    else:
        output = _found(inputs, rule, spans).output
    # A product may overflow before it is scaled, and not after.
    if are_finite(output):
        return output
    return chunked.run(_definition_of(inputs, rule, spans.ends))


def _in_memory(*inputs: Tensor) -> tuple[Tensor, ...]:
    """All with their rows in one piece."""
    return tuple(map(in_one_piece, inputs))


class Rule(NamedTuple):
    """What becomes of products and of weights, but for tensors."""

    between: Between
    form: Form
    dropping: Dropping


def _found(inputs: Sequence[Tensor], rule: Rule, spans: Spans) -> Weighed:
    query, key, value, *held = inputs
    links = rule.form.filled(held)
    return blocked.forward(query, key, value, links, rule.between, rule.dropping, spans)


@dataclass(frozen=True, eq=False)
class Dropped:
    """A normalizer some of whose weights are dropped: those that the loops have dropped."""

    normalizer: Normalizer
    kept: Tensor
    larger: float

    def __call__(self, scores: Tensor, where: Tensor | None = None) -> Tensor:
        weights = self.normalizer(scores, where)
        return torch.where(self.kept, weights * self.larger, 0.0)

    def at(self, heads: slice, rows: slice) -> "Dropped":
        """The same for some heads and queries."""
        return replace(self, kept=self.kept[:, heads, rows])


class _Blocked(torch.autograd.Function):
    """The two passes; a gradient that is itself recorded, or several, is the definition's."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, spans: Spans, *inputs: Tensor) -> Tensor:
        found = _found(inputs, rule, spans)
        ctx.save_for_backward(*inputs, *found)
        ctx.rule, ctx.spans = rule, spans
        return found.output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, output, tops, sums = ctx.saved_tensors
        given: Sequence[Tensor | None]
        if _definition.is_asked(upstream[0]):
            given = _recorded(upstream[0], inputs, ctx.rule, ctx.spans.ends)
        else:
            found = Weighed(output, tops, sums)
            learns = ctx.needs_input_grad[5:]
            given = _changes(upstream[0], inputs, ctx.rule, found, ctx.spans, learns)
        return (None, None, *given)


def _changes(
    upstream: Tensor, inputs: Sequence[Tensor], rule: Rule, found: Weighed, spans: Spans,
    learns: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    query, key, value, *held = inputs
    return blocked.backward(
        upstream, query, key, value, rule.form.filled(held), found, rule.between, rule.dropping,
        spans, learns,
    )  # fmt: skip


def _recorded(
    upstream: Tensor, inputs: Sequence[Tensor], rule: Rule, ends: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients through the definition, recorded on the way."""

    def output() -> Tensor:
        return chunked.run(_definition_of(inputs, rule, ends))

    return _definition.gradients(output, inputs, upstream)


def _definition_of(inputs: Sequence[Tensor], rule: Rule, ends: Tensor) -> Call:
    query, key, value, *held = inputs
    between, form, dropping = rule
    q_len, k_len = query.shape[2], key.shape[2]
    normalizer: Normalizer = sigmoid if between.is_sigmoid else softmax
    if dropping.kept < OUT_OF:
        kept = blocked.kept_pairs(query, k_len, dropping)
        normalizer = Dropped(normalizer, kept, dropping.larger)
    mods = [_mod_of(link, q_len, k_len) for link in form.filled(held)]
    mod = Chain(*mods) if mods else None
    score = ScaledDot(between.scale)
    return Call(query, key, value, score, mod, between_ends(ends), normalizer, 0.0, 0)


def _mod_of(link: Link, q_len: int, k_len: int) -> ScoreMod:
    match link:
        case Cap():
            return SoftCap(link.cap)
        case ByDistance():
            return Bias(_by_pair(link.bias, q_len, k_len), first_query=0)
        case ByPair():
            return Bias(link.bias, first_query=0)
        case Relative():
            return RelativeDot(link.query, link.rows, q_len - 1, link.factor, first_query=0)


def _by_pair(bias: Tensor, q_len: int, k_len: int) -> Tensor:
    """A bias by distance, written out for every pair."""
    q, k = torch.arange(q_len).unsqueeze(-1), torch.arange(k_len)
    return bias[..., q - k + (k_len - 1)]


def _rule(
    scale: float, is_sigmoid: bool, kinds: Sequence[int], factors: Sequence[float], kept: int,
    seed: Tensor | None,
) -> Rule:  # fmt: skip
    dropping = Dropping() if seed is None else Dropping(int(seed.item()), kept)
    return Rule(Between(scale, is_sigmoid), Form(list(kinds), list(factors)), dropping)


def _forward(
    query: Tensor, key: Tensor, value: Tensor, held: Sequence[Tensor], ends: Tensor, scale: float,
    is_sigmoid: bool, kinds: Sequence[int], factors: Sequence[float], kept: int,
    seed: Tensor | None, learns: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    inputs = _in_memory(query, key, value, *held)
    rule = _rule(scale, is_sigmoid, kinds, factors, kept, seed)
    output, tops, sums = _found(inputs, rule, counted(ends, query))
    return output, tops, sums


def _shapes(query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    batch, heads, q_len, _ = query.shape
    output = query.new_empty(batch, q_len, heads, value.shape[3]).transpose(1, 2)
    return output, query.new_empty(batch, heads, q_len), query.new_empty(batch, heads, q_len)


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, held: Sequence[Tensor],
    ends: Tensor, scale: float, is_sigmoid: bool, kinds: Sequence[int], factors: Sequence[float],
    kept: int, seed: Tensor | None, learns: Sequence[bool], output: Tensor, tops: Tensor,
    sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:  # fmt: skip
    inputs = _in_memory(query, key, value, *held)
    found = Weighed(in_one_piece(output), tops.contiguous(), sums.contiguous())
    rule = _rule(scale, is_sigmoid, kinds, factors, kept, seed)
    given = _changes(upstream, inputs, rule, found, counted(ends, query), learns)
    dq, dk, dv, *more = (query.new_empty(0) if x is None else x.contiguous() for x in given)
    return dq, dk, dv, more


def _shapes_of_gradients(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, held: Sequence[Tensor], *rest: Any
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    learns = rest[7]
    more = [query.new_empty(x.shape if own else 0) for x, own in zip(held, learns, strict=True)]
    dq, dk, dv = (query.new_empty(x.shape) for x in (query, key, value))
    return dq, dk, dv, more


_operation = operation(
    "blocked_attention", _forward, _backward, _shapes, gradients=(0, 1, 2, 3), kept=(0, 1, 2),
    shapes_of_gradients=_shapes_of_gradients,
)  # fmt: skip


def attend_recorded(
    query: Tensor, key: Tensor, value: Tensor, links: Sequence[Link], ends: Tensor,
    between: Between, dropout: float,
) -> Tensor:  # fmt: skip
    """The output of a call that is recorded; `ends` is as `Spans` has it."""
    held = [x for link in links for x in tensors_of(link)]
    learns = [
        isinstance(link, Relative) or x.requires_grad for link in links for x in tensors_of(link)
    ]
    dropping = (kept_of(dropout), draw_seed()) if dropout > 0.0 else (OUT_OF, None)
    given = query, key, value, held, ends, *between, *form_of(links), *dropping, learns
    output: Tensor = _operation(*given)[0]
    return output
