"""Sparsemax, entmax, arg max and top-k: scores a few rows at a time, then the few keys with weight.

A dot product is multiplied out for some queries, the keys that get weight are found while these
scores are in the processor's cache, and from there on nothing else is touched, neither by the
weighted sum nor by the backward pass. So memory is O(rows in flight × k_len) and what has weight.
The loops are compiled by Numba.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from regard._backends import _dot, _few_keys
from regard._backends._call import Call, label
from regard._backends._cost import Cost, io_bytes, mask_work, output_bytes, score_work
from regard._backends._held import changes_as_it_runs, is_known
from regard._backends._rates import Rates, rates_of
from regard._backends._rewriting import LEAVES_OUT_QUERY, dot_form, is_additive, is_dot
from regard._backends._spans import Piece, intervals, pieces
from regard._kernels.in_memory import in_memory
from regard._kernels.installed import has_loops, why_no_loops
from regard._kernels.sparse_rows import SCORES, Rule
from regard._torch_private import can_look_at, is_forward_mode
from regard.normalizers import Entmax, Hard, TopK, hard, sparsemax
from regard.scores import ScaledDot

MANY = 1 << 20
"""Pairs from which on a call saves enough for some hundred calls to make up for the compiling."""


class Search(NamedTuple):
    """What finding the keys with weight takes, in numbers written, and how many these are."""

    score: float
    row: float
    share: float


# Scores from N(0, 1), AMD EPYC, one thread, 2026-11-30; the rates of `_rates.py` are of the same.
SPARSEMAX, ENTMAX_15 = Search(0.4, 700, 0.004), Search(0.8, 1300, 0.02)
ENTMAX, HARD, TOP_K = Search(35, 3000, 0.4), Search(0.2, 100, 0.0), Search(1.5, 600, 0.0)

masks_first = True
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Another score or normalizer, or anything but an eager call in float32 or less on a CPU."""
    if not all(map(can_look_at, (call.query, call.key, call.value))) or is_forward_mode():
        yield "it serves plain calls on a CPU, neither recorded nor transformed"
        return  # a recorded graph is not asked for its lengths
    if not has_loops():
        yield why_no_loops()
    if not is_dot(call):
        yield f"{label(call.score)} is not a dot product, nor one in disguise"
    elif type(call.score) in LEAVES_OUT_QUERY and not is_additive(call):
        yield f"score_mod {label(call.score_mod)} needs the term of the query alone"
    if _rule(call) is None:
        yield (
            "it normalizes by sparsemax, hard, Entmax of alpha above 1 up to 2 and TopK of fewer "
            f"keys than there are, not by {label(call.normalizer)}"
        )
    if call.dropout > 0:
        yield "it has no dropout"
    if call.exact != torch.float32:
        yield "it computes in float32, which float64 would lose digits in"
    if call.needs_grad and not is_known(call.score_mod):
        yield f"what score_mod {label(call.score_mod)} learns cannot be known"
    if changes_as_it_runs(call.score_mod):
        yield f"score_mod {label(call.score_mod)} changes as it runs"


def reservations(call: Call) -> Iterator[str]:
    # A recorded graph would be bound to the numbers that are compared.
    if rates_of(call) is not None and call.lead * call.q_len * call.k_len < MANY:
        yield "so few pairs are not worth compiling loops for"


def seconds(call: Call, rates: Rates) -> float:
    """The product of the scores, and the search for the keys with weight."""
    lead, cut = call.lead, _cut(call)
    met = sum(piece.pairs for piece in cut)
    goes = sum(-(-lead * piece.pairs // SCORES) for piece in cut)
    once, numbers = score_work(call)
    search = _search(call)
    steps, scores = 20, search.score + search.share * call.value.shape[-1] / 8
    if call.mask is not None:
        more, written = mask_work(call, met)
        steps, numbers, scores = steps + more, numbers + written, scores + 2
    if call.score_mod is not None:
        steps, scores = steps + 10, scores + 4
    numbers += int(lead * (met * scores + call.q_len * search.row)) + 2 * call.query.numel()
    products = 2 * lead * met * call.query.shape[-1]
    return rates.seconds(30 + once + goes * steps, matmul=products, numbers=numbers)


def cost(call: Call) -> Cost:
    lead, pairs = call.lead, sum(piece.pairs for piece in _cut(call))
    flops = int(lead * pairs * (2 * call.query.shape[-1] + _search(call).score))
    return Cost(flops, io_bytes(call) + 8 * lead * pairs, output_bytes(call) + 8 * SCORES)


def run(call: Call) -> torch.Tensor:
    form = dot_form(call)
    query, key, value = (x.to(call.exact) for x in (form.query, form.key, call.value))
    scale = form.scale
    if isinstance(scale, torch.Tensor):  # one that is learned goes into the query
        query, scale = query * scale, 1.0
    rule = _rule(call)
    assert rule is not None
    if rule.power is None:
        query, key = query.detach(), key.detach()
    if 0 in (*query.shape[:3], key.shape[2]):
        return _dot.attend(query, key, value, scale, grouped=True).to(call.query.dtype)
    plain = call.where(
        score=ScaledDot(scale), **{
            name: torch.zeros((), dtype=x.dtype).expand(x.shape)
            for name, x in (("query", query), ("key", key), ("value", value))
        },
    )  # fmt: skip
    asked = _few_keys.Asked(plain, scale, _cut(call), rule)
    output = _few_keys.run(in_memory(query), in_memory(key), in_memory(value), asked)
    return output.to(call.query.dtype)


def _rule(call: Call) -> Rule | None:
    """How the weights are found; None where this is not such a normalizer."""
    match call.normalizer:
        case Entmax() if 1.0 < call.normalizer.alpha <= 2.0:
            alpha = float(call.normalizer.alpha)
            return Rule("entmax_rows", alpha, 2.0 - alpha)
        case Hard() if not call.normalizer.straight_through:
            return Rule("hard_rows", 0.0, None)
        case TopK() if call.normalizer.k < call.k_len:
            return Rule("top_rows", call.normalizer.k, 1.0)
    if call.normalizer is sparsemax:
        return Rule("entmax_rows", 2.0, 0.0)
    return Rule("hard_rows", 0.0, None) if call.normalizer is hard else None


def _search(call: Call) -> Search:
    match call.normalizer:
        case TopK():
            return TOP_K._replace(share=call.normalizer.k / max(1, call.k_len))
        case Entmax() if call.normalizer.alpha != 2.0:
            return ENTMAX_15 if call.normalizer.alpha == 1.5 else ENTMAX
        case Entmax():
            return SPARSEMAX
    return SPARSEMAX if call.normalizer is sparsemax else HARD


def _cut(call: Call) -> list[Piece]:
    """Some queries each, and the keys that they meet."""
    found = None if call.mask is None else intervals(call)
    if found is not None:
        return list(pieces(*found, call.lead, SCORES))
    rows = max(1, SCORES // max(1, call.k_len))
    return [
        Piece(start, min(start + rows, call.q_len), 0, call.k_len)
        for start in range(0, call.q_len, rows)
    ]
