"""Scores that add a query to a key before they look: projected once, then paired by loops.

Everything else of such a call, mask, score_mod, normalizer, dropout, is as in every other: some
queries at a time, by `chunked`, with the scores of all pairs and nothing wider than they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from regard._backends import _tanh_softmax, chunked
from regard._backends._call import Call
from regard._backends._cost import Cost
from regard._backends._leaky_scores import leaky_scores_of
from regard._backends._rates import Rates
from regard._backends._tanh_scores import tanh_scores_of
from regard.scores import Additive, ConcatTanhSum, GATv2, LuongConcat

STEPS_OF_ONE = 12
"""Operations that a step of a decoder takes as long as."""

EXPONENTIALS = 4e9
"""Exponentials that a thread takes in a second, and numbers of values that it adds for a step."""

STEPS_OF_MANY, RATE_OF_MANY, VALUES_OF_MANY = 16, 3.2e10, 1e11
"""The same of a fused call with many queries: a pair's numbers, and numbers of values added."""


class Rule(NamedTuple):
    """How the scores of projected queries and keys are had, and how long that takes.

    A thread has so many numbers of pairs in a second, one for each unit of the hidden layer, and
    of vectors that are made ready before.
    """

    scores: Callable[..., Tensor]
    rate: float
    vectors: float
    steps: int
    """Operations that calling the loops takes longer than writing the score out."""
    why: str
    numbers: tuple[str, ...] = ()
    """What `scores` is given after queries, keys and `v`: fields of the score."""


# One thread of an AMD EPYC (Zen 5, AVX-512), other work on the machine; `benchmarks/additive.py`.
_TANH = Rule(tanh_scores_of, 2.0e10, EXPONENTIALS, 4, "tanh(q + k) = 1 - 2 / (1 + exp(2q) exp(2k))")
_LEAKY = Rule(
    leaky_scores_of, 3.0e10, 8e9, 14, "LeakyReLU(x) = s x + (1 - s) max(x, 0)", ("negative_slope",)
)
RULES: dict[type, Rule] = {
    Additive: _TANH, LuongConcat: _TANH, ConcatTanhSum: _TANH, GATv2: _LEAKY
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Projected:
    """The score of queries and keys that are projected already."""

    rule: Rule
    v: Tensor | None
    numbers: tuple[float, ...] = ()

    is_pair_by_pair = True

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return self.rule.scores(query, key, self.v, *self.numbers)


def run(call: Call) -> Tensor:
    """The output of a call whose score has a rule."""
    ready = _projected(call)
    if is_fused(call):
        output = _tanh_softmax.run(ready, ready.query, ready.key, ready.score.v)  # type: ignore[attr-defined]
    else:
        output = chunked.run(ready)
    return output.to(call.query.dtype)


def is_fused(call: Call) -> bool:
    """Whether scores, weights and their sum are one kernel."""
    return RULES[type(call.score)] is _TANH and _tanh_softmax.serves(call)


def is_step(call: Call) -> bool:
    """Whether the call is one step of a decoder, in a kernel."""
    return is_fused(call) and _tanh_softmax.is_step(call)


def cost(call: Call) -> Cost:
    """What is held are the scores."""
    return chunked.cost(_narrow(call))


def seconds(call: Call, rates: Rates) -> float:
    """The loops, and the rest of a call with scores as they are.

    Projections are left out: whoever else serves such a call has them too, and does not count them.
    """
    width = call.score.pair_width(call.query.shape[-1], call.key.shape[-1])  # type: ignore[attr-defined]
    narrow = _narrow(call)
    pairs = call.lead * sum(chunk.pairs for chunk in chunked.cut(narrow))
    vectors = call.query.shape[:-1].numel() + call.groups * call.key.shape[:-1].numel()
    rule = RULES[type(call.score)]
    numbers = pairs / rule.rate + vectors / rule.vectors
    numbers *= width
    if is_step(call):
        numbers += pairs * call.value.shape[-1] / EXPONENTIALS
        return rates.seconds(STEPS_OF_ONE, numbers=round(numbers * rates.numbers))
    if is_fused(call):
        whole = pairs * _tanh_softmax.served(call.q_len) / call.q_len
        numbers = whole * (width / RATE_OF_MANY + call.value.shape[-1] / VALUES_OF_MANY)
        numbers += vectors * width / EXPONENTIALS
        return rates.seconds(STEPS_OF_MANY, numbers=round(numbers * rates.numbers))
    loops = rates.seconds(rule.steps, numbers=round(numbers * rates.numbers))
    return loops + chunked.seconds(narrow, rates)


def _narrow(call: Call) -> Call:
    """The call without the vectors that its score looks at."""
    query, key = call.query[..., :0], call.key[..., :0]
    return call.where(query=query, key=key, score=Projected(RULES[type(call.score)], None))


def _projected(call: Call) -> Call:
    """The same call in at least float32, with a score that has nothing left to project."""
    score = call.score
    query, key = call.query.to(call.exact), call.key.to(call.exact)
    query, key = score.project(query, key)  # type: ignore[attr-defined]
    rule = RULES[type(score)]
    numbers = tuple(getattr(score, name) for name in rule.numbers)
    projected = Projected(rule, getattr(score, "v", None), numbers)
    return call.where(query=query, key=key, score=projected)
