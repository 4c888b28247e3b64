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
from regard._kernels.blocked import OUT_OF, Dropping, Spans, Weighed
from regard._kernels.blocked import Between as Between
from regard._kernels.in_memory import in_memory, in_one_piece
from regard._typing import Normalizer
from regard.normalizers import sigmoid, softmax
from regard.score_mods import Bias, Chain, SoftCap
from regard.scores import ScaledDot


def counted(ends: Tensor, query: Tensor) -> Spans:
    """What the queries see, and how much that is."""
    return Spans.of(ends, query.shape[0], query.shape[2])


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, *, between: Between,
    spans: Spans, dropout: float = 0.0,
) -> Tensor:  # fmt: skip
    """The output of an eager call on float32 tensors in memory; a bias is as `blocked` has it."""
    query, key, value, bias = _in_memory(query, key, value, bias)
    rule = Rule(between, Dropping())
    if dropout > 0.0:
        rule = Rule(between, Dropping(int(draw_seed().item()), kept_of(dropout)))
    if torch.is_grad_enabled() and (
        query.requires_grad
        or key.requires_grad
        or value.requires_grad
        or (bias is not None and bias.requires_grad)
    ):
        output: Tensor = _Blocked.apply(query, key, value, bias, rule, spans)
    else:
        output = blocked.forward(query, key, value, bias, *rule, spans).output
    # A product may overflow before it is scaled, and not after.
    if are_finite(output):
        return output
    return chunked.run(_definition_of(query, key, value, bias, rule, spans.ends))


def _in_memory(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    if bias is not None:
        bias = in_memory(bias) if bias.ndim == 3 else in_one_piece(bias)
    return in_one_piece(query), in_one_piece(key), in_one_piece(value), bias


class Rule(NamedTuple):
    """What becomes of products and of weights."""

    between: Between
    dropping: Dropping


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
        rule: Rule, spans: Spans,
    ) -> Tensor:  # fmt: skip
        found = blocked.forward(query, key, value, bias, *rule, spans)
        ctx.save_for_backward(query, key, value, bias, *found)
        ctx.rule, ctx.spans = rule, spans
        return found.output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, bias, *found = ctx.saved_tensors
        rule: Rule = ctx.rule
        if _definition.is_asked(upstream[0]):
            inputs = query, key, value, bias
            given = _recorded(upstream[0], inputs, rule, ctx.spans.ends)
        else:
            given = blocked.backward(
                upstream[0], query, key, value, bias, Weighed(*found), *rule, ctx.spans,
                ctx.needs_input_grad[3],
            )  # fmt: skip
        return (*given, None, None)


def _recorded(
    upstream: Tensor, inputs: tuple[Tensor, Tensor, Tensor, Tensor | None], rule: Rule, ends: Tensor
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients through the definition, recorded on the way."""

    def output() -> Tensor:
        return chunked.run(_definition_of(*inputs, rule, ends))

    return _definition.gradients(output, inputs, upstream)


def _definition_of(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, rule: Rule, ends: Tensor
) -> Call:
    between, dropping = rule
    normalizer: Normalizer = sigmoid if between.is_sigmoid else softmax
    if dropping.kept < OUT_OF:
        kept = blocked.kept_pairs(query, key.shape[2], dropping)
        normalizer = Dropped(normalizer, kept, dropping.larger)
    mods: list[Any] = [SoftCap(between.cap)] if between.cap else []
    if bias is not None:
        added = Bias(_by_pair(bias, query.shape[2], key.shape[2]), first_query=0)
        mods.insert(0 if between.caps_last else len(mods), added)
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
    scale: float, cap: float, is_sigmoid: bool, caps_last: bool, kept: int, seed: Any
) -> Rule:
    dropping = Dropping() if seed is None else Dropping(int(seed.item()), kept)
    return Rule(Between(scale, cap, is_sigmoid, caps_last), dropping)


def _forward(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, ends: Tensor, scale: float,
    cap: float, is_sigmoid: bool, caps_last: bool, kept: int, seed: Tensor | None,
    learns_bias: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    query, key, value, bias = _in_memory(query, key, value, bias)
    rule = _rule(scale, cap, is_sigmoid, caps_last, kept, seed)
    output, tops, sums = blocked.forward(query, key, value, bias, *rule, counted(ends, query))
    return output, tops, sums


def _shapes(query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    batch, heads, q_len, _ = query.shape
    output = query.new_empty(batch, q_len, heads, value.shape[3]).transpose(1, 2)
    return output, query.new_empty(batch, heads, q_len), query.new_empty(batch, heads, q_len)


def _backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, ends: Tensor,
    scale: float, cap: float, is_sigmoid: bool, caps_last: bool, kept: int, seed: Tensor | None,
    learns_bias: bool, output: Tensor, tops: Tensor, sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    query, key, value, bias = _in_memory(query, key, value, bias)
    found = Weighed(in_one_piece(output), tops.contiguous(), sums.contiguous())
    rule = _rule(scale, cap, is_sigmoid, caps_last, kept, seed)
    dq, dk, dv, dbias = blocked.backward(
        upstream, query, key, value, bias, found, *rule, counted(ends, query), learns_bias
    )
    dbias = query.new_empty(0) if dbias is None else dbias
    return dq.contiguous(), dk.contiguous(), dv.contiguous(), dbias.contiguous()


def _shapes_of_gradients(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *rest: Any
) -> tuple[Tensor, ...]:
    learns_bias = rest[7]
    dbias = query.new_empty(bias.shape if bias is not None and learns_bias else 0)
    return (*(query.new_empty(x.shape) for x in (query, key, value)), dbias)


_operation = operation(
    "blocked_attention", _forward, _backward, _shapes, gradients=(0, 1, 2, 3), kept=(0, 1, 2),
    shapes_of_gradients=_shapes_of_gradients,
)  # fmt: skip


def attend_recorded(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, ends: Tensor, between: Between,
    dropout: float,
) -> Tensor:  # fmt: skip
    """The output of a call that is recorded; `ends` is as `Spans` has it."""
    learns_bias = bias is not None and bias.requires_grad
    dropping = (kept_of(dropout), draw_seed()) if dropout > 0.0 else (OUT_OF, None)
    given = query, key, value, bias, ends, *between, *dropping, learns_bias
    output: Tensor = _operation(*given)[0]
    return output
