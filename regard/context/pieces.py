"""What some neighbouring keys contribute to some neighbouring queries, and the gradients of that.

    t = score / temperature      P = exp(t - logsumexp of all keys)      output = Σ P v
    dP = dO v^T      dt = P * (dP - sum(dO * O))      dv = P^T dO

What the score makes of dt is autograd's business, a few queries at a time: so any score, score mod
and grouping has its gradient, and nothing of the size of all pairs is held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard._backends import _logsumexp, _sanitize, chunked
from regard._backends._call import Call, repeat_heads
from regard._backends._spans import Piece as Chunk
from regard._backends._structure import is_relative, temperature
from regard._torch_private import can_look_at
from regard.context.exchange import Exchange
from regard.context.layout import Piece


@dataclass(frozen=True)
class Moved:
    """A mask or score mod for keys the first of which stands at `by`, not at 0."""

    part: Any
    by: int

    def __call__(self, *given: Any) -> Any:
        *before, query, key = given
        answer = self.part(*before, query + self.by, key + self.by)
        return answer.reshape((1,) * (query.ndim - answer.ndim) + tuple(answer.shape))


class Met(NamedTuple):
    """Queries and keys that may see each other: the call, and which of the given ones they are."""

    call: Call
    queries: slice
    keys: slice


class Grown(NamedTuple):
    """The gradients of a call's query, key and value, and of tensors in its parts."""

    query: Tensor
    key: Tensor
    value: Tensor
    held: list[Tensor | None]


class Rows(NamedTuple):
    """What the backward pass knows of some queries, in the exact dtype.

    `upstream` is the gradient of their output, `inner` its product with the output, and `total` the
    logsumexp of all keys, whatever piece they came in.
    """

    upstream: Tensor
    inner: Tensor
    total: Tensor

    @classmethod
    def of(cls, upstream: Tensor, output: Tensor, total: Tensor) -> "Rows":
        """Of all queries; one that sees no key at all hands on no gradient, not even NaN."""
        blind = total == -torch.inf
        upstream = upstream.masked_fill(blind, 0.0)
        inner = (upstream * output).sum(-1, keepdim=True)
        return cls(upstream, inner, total.masked_fill(blind, 0.0))

    def cut(self, rows: slice) -> "Rows":
        """The same of some of them."""
        return Rows(*(tensor[:, :, rows] for tensor in self))


def meetings(
    whole: Call, ring: Exchange, tensors: tuple[Tensor, Tensor, Tensor], pieces: list[Piece]
) -> Iterator[Met]:
    """The calls of this rank's queries with the keys of some pieces that they may see."""
    query, key, value = tensors
    for block, row, first, start, length in ring.layout.meetings(
        ring.layout.rank, pieces, ring.reach
    ):
        rows, columns = slice(row, row + block[1]), slice(start, start + length)
        some = query[:, :, rows], key[:, :, columns], value[:, :, columns]
        yield Met(_call(whole, some, block[0], first), rows, columns)


def _call(whole: Call, tensors: tuple[Tensor, Tensor, Tensor], query: int, key: int) -> Call:
    """The whole call's parts for queries and keys that begin at these places."""
    mask: Any = whole.mask
    mod: Any = whole.score_mod
    if key:
        mask = mask if mask is None or is_relative(mask) else Moved(mask, key)
        mod = None if mod is None else Moved(mod, key)
    q, k, v = tensors
    return Call(q, k, v, whole.score, mod, mask, whole.normalizer, 0.0, query - key)


def forward(call: Call) -> tuple[Tensor, Tensor]:
    """The output of these keys alone, and its logsumexp, both in the exact dtype."""
    both = _logsumexp.exact(call)
    return both[..., :-1], both[..., -1:]


def merged(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The output and logsumexp of the keys of both."""
    total = torch.logaddexp(one[1], other[1])
    finite = total.masked_fill(total == -torch.inf, 0.0)
    output = one[0] * (one[1] - finite).exp() + other[0] * (other[1] - finite).exp()
    return output, total


def backward(call: Call, went: Rows, held: list[Tensor]) -> Grown:
    """The gradients of a call, from what is known of its queries; `held` are tensors in parts."""
    if call.mask is not None and not (can_look_at(call.query) and _sanitize.all_finite(call)):
        call = _sanitize.sanitized(call)[0]
    key = call.key.detach().to(call.exact).requires_grad_()
    value = repeat_heads(call.value.detach().to(call.exact), call.groups)
    grown = Grown(
        torch.zeros_like(call.query, dtype=call.exact), torch.zeros_like(key),
        torch.zeros_like(value), [None] * len(held),
    )  # fmt: skip
    step = chunked.chunk_rows(call)
    for start in range(0, call.q_len, max(1, step)):
        chunk = Chunk(start, min(start + step, call.q_len), 0, call.k_len)
        rows = slice(chunk.start, chunk.stop)
        given, inner, total = went.cut(rows)
        query = call.query[:, :, rows].detach().to(call.exact).requires_grad_()
        with torch.enable_grad():
            scores, where = chunked.scored(call, query, repeat_heads(key, call.groups), chunk)
            scores = scores / temperature(call.normalizer)
        weights = _hidden((scores.detach() - total).exp(), where)
        changes = _hidden(weights * (given @ value.mT - inner), where)
        grown.value.add_(weights.mT @ given)
        found = torch.autograd.grad(scores, [query, key, *held], changes, allow_unused=True)
        grown.query[:, :, rows] = 0.0 if found[0] is None else found[0]
        if found[1] is not None:
            grown.key.add_(found[1])
        grown = grown._replace(held=added(grown.held, found[2:]))
    shared = grown.value.unflatten(1, (-1, call.groups)).sum(2) if call.groups > 1 else grown.value
    return grown._replace(value=shared)


def _hidden(tensor: Tensor, where: Tensor | None) -> Tensor:
    """Zero where nothing is permitted, whatever stands there."""
    return tensor if where is None else tensor.masked_fill(~where, 0.0)


def added(totals: Sequence[Tensor | None], found: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Sums one by one, where there is something to add."""
    return [
        one if other is None else other if one is None else one + other
        for one, other in zip(totals, found, strict=True)
    ]
