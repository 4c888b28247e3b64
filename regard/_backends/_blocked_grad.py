"""Attention by blocks (`_kernels/blocked.py`) with its gradients, eager and as a node of a graph.

Eager calls are an autograd function; a graph holds an opaque operation, which costs 20 µs more.
"""

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
from regard._kernels.blocked import OUT_OF, Dropping, Relative, Spans, Weighed
from regard._kernels.blocked import Between as Between
from regard._kernels.in_memory import in_memory, in_one_piece
from regard._typing import Normalizer
from regard.normalizers import sigmoid, softmax
from regard.score_mods import Bias, Chain, RelativeDot, SoftCap
from regard.scores import ScaledDot


def counted(ends: Tensor, query: Tensor) -> Spans:
    """What the queries see, and how much that is."""
    return Spans.of(ends, query.shape[0], query.shape[2])


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None,
    relative: Relative | None = None, *, between: Between, spans: Spans, dropout: float = 0.0,
) -> Tensor:  # fmt: skip
    """The output of an eager call on float32 tensors; what is added is as `blocked` has it."""
    rule = Rule(between, Dropping())
    if dropout > 0.0:
        rule = Rule(between, Dropping(int(draw_seed().item()), kept_of(dropout)))
    far, rows, factor = (None, None, 0.0) if relative is None else relative
    inputs, rule = _in_memory(query, key, value, bias, far, rows), rule._replace(factor=factor)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs):
        output: Tensor = _Blocked.apply(*inputs, rule, spans)
    else:
        output = _found(inputs, rule, spans).output
    # A product may overflow before it is scaled, and not after.
    if are_finite(output):
        return output
    return chunked.run(_definition_of(inputs, rule, spans.ends))


Inputs = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]
"""Query, key and value; a bias; and the queries and rows of a `Relative`."""


def _in_memory(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, far: Tensor | None,
    rows: Tensor | None,
) -> Inputs:  # fmt: skip
    if bias is not None:
        bias = in_memory(bias) if bias.ndim == 3 else in_one_piece(bias)
    if far is not None:
        far = in_one_piece(far)
    return in_one_piece(query), in_one_piece(key), in_one_piece(value), bias, far, rows


class Rule(NamedTuple):
    """What becomes of products and of weights."""

    between: Between
    dropping: Dropping
    factor: float = 0.0
    """Of the products of queries and distances."""


def _relative(far: Tensor | None, rows: Tensor | None, rule: Rule) -> Relative | None:
    return None if far is None or rows is None else Relative(far, rows, rule.factor)


def _found(inputs: Inputs, rule: Rule, spans: Spans) -> Weighed:
    query, key, value, bias, far, rows = inputs
    relative = _relative(far, rows, rule)
    return blocked.forward(query, key, value, bias, relative, rule.between, rule.dropping, spans)


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
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None,
        far: Tensor | None, rows: Tensor | None, rule: Rule, spans: Spans,
    ) -> Tensor:  # fmt: skip
        inputs = query, key, value, bias, far, rows
        found = _found(inputs, rule, spans)
        ctx.save_for_backward(*inputs, *found)
        ctx.rule, ctx.spans = rule, spans
        return found.output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, bias, far, rows, *found = ctx.saved_tensors
        rule: Rule = ctx.rule
        if _definition.is_asked(upstream[0]):
            inputs = query, key, value, bias, far, rows
            given = _recorded(upstream[0], inputs, rule, ctx.spans.ends)
        else:
            given = blocked.backward(
                upstream[0], query, key, value, bias, _relative(far, rows, rule), Weighed(*found),
                rule.between, rule.dropping, ctx.spans, ctx.needs_input_grad[3],
            )  # fmt: skip
        return (*given, None, None)


def _recorded(
    upstream: Tensor, inputs: Inputs, rule: Rule, ends: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients through the definition, recorded on the way."""

    def output() -> Tensor:
        return chunked.run(_definition_of(inputs, rule, ends))

    return _definition.gradients(output, inputs, upstream)


def _definition_of(inputs: Inputs, rule: Rule, ends: Tensor) -> Call:
    query, key, value, bias, far, rows = inputs
    between, dropping, factor = rule
    q_len, k_len = query.shape[2], key.shape[2]
    normalizer: Normalizer = sigmoid if between.is_sigmoid else softmax
    if dropping.kept < OUT_OF:
        kept = blocked.kept_pairs(query, k_len, dropping)
        normalizer = Dropped(normalizer, kept, dropping.larger)
    added: list[Any] = []
    if far is not None and rows is not None:
        added.append(RelativeDot(far, rows, q_len - 1, factor, first_query=0))
    if bias is not None:
        added.append(Bias(_by_pair(bias, q_len, k_len), first_query=0))
    cap = [SoftCap(between.cap)] if between.cap else []
    mods = [*added, *cap] if between.caps_last else [*cap, *added]
    mod = Chain(*mods) if mods else None
    score = ScaledDot(between.scale)
    return Call(query, key, value, score, mod, between_ends(ends), normalizer, 0.0, 0)


def _by_pair(bias: Tensor, q_len: int, k_len: int) -> Tensor:
    """A bias by distance, written out for every pair."""
    if bias.ndim == 4:
        return bias
    q, k = torch.arange(q_len).unsqueeze(-1), torch.arange(k_len)
    return bias[..., q - k + (k_len - 1)]


def _rule(
    scale: float, cap: float, is_sigmoid: bool, caps_last: bool, factor: float, kept: int,
    seed: Tensor | None,
) -> Rule:  # fmt: skip
    dropping = Dropping() if seed is None else Dropping(int(seed.item()), kept)
    return Rule(Between(scale, cap, is_sigmoid, caps_last), dropping, factor)


def _forward(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, far: Tensor | None,
    rows: Tensor | None, ends: Tensor, scale: float, cap: float, is_sigmoid: bool, caps_last: bool,
    factor: float, kept: int, seed: Tensor | None, learns_bias: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    inputs = _in_memory(query, key, value, bias, far, rows)
    rule = _rule(scale, cap, is_sigmoid, caps_last, factor, kept, seed)
    output, tops, sums = _found(inputs, rule, counted(ends, query))
    return output, tops, sums


def _shapes(query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    batch, heads, q_len, _ = query.shape
    output = query.new_empty(batch, q_len, heads, value.shape[3]).transpose(1, 2)
    return output, query.new_empty(batch, heads, q_len), query.new_empty(batch, heads, q_len)


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None,
    far: Tensor | None, rows: Tensor | None, ends: Tensor, scale: float, cap: float,
    is_sigmoid: bool, caps_last: bool, factor: float, kept: int, seed: Tensor | None,
    learns_bias: bool, output: Tensor, tops: Tensor, sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    query, key, value, bias, far, rows = _in_memory(query, key, value, bias, far, rows)
    found = Weighed(in_one_piece(output), tops.contiguous(), sums.contiguous())
    rule = _rule(scale, cap, is_sigmoid, caps_last, factor, kept, seed)
    relative, spans = _relative(far, rows, rule), counted(ends, query)
    given = blocked.backward(
        upstream, query, key, value, bias, relative, found, rule.between, rule.dropping, spans,
        learns_bias,
    )  # fmt: skip
    dq, dk, dv, *more = (query.new_empty(0) if x is None else x.contiguous() for x in given)
    dbias, dfar, drows = more
    return dq, dk, dv, dbias, dfar, drows


def _shapes_of_gradients(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None,
    far: Tensor | None, rows: Tensor | None, *rest: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    learns_bias = rest[8]
    given = query, key, value, bias if learns_bias else None, far, rows
    return tuple(query.new_empty(0 if x is None else x.shape) for x in given)


_operation = operation(
    "blocked_attention", _forward, _backward, _shapes, gradients=(0, 1, 2, 3, 4, 5),
    kept=(0, 1, 2), shapes_of_gradients=_shapes_of_gradients,
)  # fmt: skip


def attend_recorded(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, relative: Relative | None,
    ends: Tensor, between: Between, dropout: float,
) -> Tensor:  # fmt: skip
    """The output of a call that is recorded; `ends` is as `Spans` has it."""
    learns_bias = bias is not None and bias.requires_grad
    dropping = (kept_of(dropout), draw_seed()) if dropout > 0.0 else (OUT_OF, None)
    far, rows, factor = (None, None, 0.0) if relative is None else relative
    given = query, key, value, bias, far, rows, ends, *between, factor, *dropping, learns_bias
    output: Tensor = _operation(*given)[0]
    return output
