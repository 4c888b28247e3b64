"""Sparsemax, entmax, arg max and top-k: scores a few rows at a time, then the few keys with weight.

A dot product is multiplied out for some queries, the keys that get weight are found while these
scores are in the processor's cache, and from there on nothing else is touched, neither by the
weighted sum nor by the backward pass. So memory is O(rows in flight × k_len) and what has weight.
The loops are compiled by Numba.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from regard._backends import _dot, _few_keys, _few_keys_recorded, _loops
from regard._backends._call import Call, label
from regard._backends._cost import Cost, io_bytes, mask_work, output_bytes, score_work
from regard._backends._few_keys import cut
from regard._backends._held import changes_as_it_runs, is_known, tensors_of
from regard._backends._rates import Rates
from regard._backends._rewriting import LEAVES_OUT_QUERY, dot_form, is_additive, is_dot
from regard._kernels.in_memory import in_memory
from regard._kernels.sparse_rows import SCORES, Rule
from regard._torch_private import (
    is_exporting,
    is_jit_traced,
    is_static,
    is_traced,
    surely,
)
from regard.normalizers import Entmax, Hard, TopK, hard, sparsemax

MANY = 1 << 20
"""Pairs from which on a call saves enough for some hundred calls to make up for the compiling."""


class Search(NamedTuple):
    """What finding the keys with weight takes, in numbers written, and how many these are."""

    score: float
    row: float
    share: float


# Scores from N(0, 1), AMD EPYC, one thread, 2026-11-30; the rates of `_rates.py` are of the same.
SPARSEMAX, ENTMAX_15 = Search(0.4, 700, 0.004), Search(0.8, 1300, 0.02)
HARD, TOP_K = Search(0.2, 100, 0.0), Search(1.5, 600, 0.0)


def _entmax(alpha: float) -> Search:
    """Of any other alpha: a power for each key that comes near a weight, in each of a few steps."""
    share = 10.0 ** (3.0 - 3.0 * alpha)
    return Search(0.8 + 35 * share, 1500, share)


masks_first = True
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Another score or normalizer, float64, another device, or no Numba."""
    yield from _loops.refusals(call)
    if is_jit_traced():
        return  # which has tensors for lengths
    if not is_dot(call):
        yield f"{label(call.score)} is not a dot product, nor one in disguise"
    elif type(call.score) in LEAVES_OUT_QUERY and not is_additive(call):
        yield f"score_mod {label(call.score_mod)} needs the term of the query alone"
    if _numbers(call) is None:
        yield (
            "it normalizes by sparsemax, hard, Entmax of alpha above 1 up to 2 and TopK of fewer "
            f"keys than there are, not by {label(call.normalizer)}"
        )
    if call.dropout > 0:
        yield "it has no dropout"
    if call.needs_grad and not is_known(call.score_mod):
        yield f"what score_mod {label(call.score_mod)} learns cannot be known"
    if changes_as_it_runs(call.score_mod):
        yield f"score_mod {label(call.score_mod)} changes as it runs"
    if is_traced() and not is_additive(call):
        yield f"a recorded graph cannot ask score_mod {label(call.score_mod)} for single pairs"
    elif is_traced() and call.needs_grad and _learns(call):
        yield f"a recorded graph has no gradient to what score_mod {label(call.score_mod)} learns"


def reservations(call: Call) -> Iterator[str]:
    """So few pairs that compiling the loops would take longer, or a program for others."""
    if surely(call.lead * call.q_len * call.k_len < MANY):
        yield "so few pairs are not worth compiling loops for"
    if is_exporting():
        yield "an exported program would need its loops wherever it runs: name it to have that"


def seconds(call: Call, rates: Rates) -> float:
    """The product of the scores, and the search for the keys with weight."""
    lead, met = call.lead, cut(call)
    goes = sum(-(-lead * piece.pairs // SCORES) for piece in met)
    pairs = sum(piece.pairs for piece in met)
    once, numbers = score_work(call)
    search = _search(call)
    steps, scores = 20, search.score + search.share * call.value.shape[-1] / 8
    if call.mask is not None:
        more, written = mask_work(call, pairs)
        steps, numbers, scores = steps + more, numbers + written, scores + 2
    if call.score_mod is not None:
        steps, scores = steps + 10, scores + 4
    numbers += int(lead * (pairs * scores + call.q_len * search.row)) + 2 * call.query.numel()
    products = 2 * lead * pairs * call.query.shape[-1]
    kind = "tiles" if rates.has_faster_tiles else "matmul"
    return rates.seconds(30 + once + goes * steps, numbers=numbers, **{kind: products})


def cost(call: Call) -> Cost:
    lead, pairs = call.lead, sum(piece.pairs for piece in cut(call))
    flops = int(lead * pairs * (2 * call.query.shape[-1] + _search(call).score))
    return Cost(flops, io_bytes(call) + 8 * lead * pairs, output_bytes(call) + 8 * SCORES)


def run(call: Call) -> torch.Tensor:
    form = dot_form(call)
    query, key, value = (x.to(call.exact) for x in (form.query, form.key, call.value))
    scale = form.scale
    if isinstance(scale, torch.Tensor) or not is_static(scale):  # the loops want a plain number
        query, scale = query * scale, 1.0
    numbers = _numbers(call)
    assert numbers is not None
    if numbers == (0.0, 0):
        query, key = query.detach(), key.detach()
    if is_traced():
        recorded = _few_keys_recorded.run(query, key, value, scale, *numbers, call)
        return recorded.to(call.query.dtype)
    if 0 in (*query.shape[:3], key.shape[2]):
        return _dot.attend(query, key, value, scale, grouped=True).to(call.query.dtype)
    asked = _few_keys.Asked.of(call, scale, Rule.of(*numbers))
    output = _few_keys.run(in_memory(query), in_memory(key), in_memory(value), asked)
    if call.mask is None:  # else whoever sees such a key was marked before
        output = _few_keys.marked(output, value)
    return output.to(call.query.dtype)


def _numbers(call: Call) -> tuple[float, int] | None:
    """What `Rule.of` is given; None where this is not such a normalizer."""
    match call.normalizer:
        case Entmax() if 1.0 < call.normalizer.alpha <= 2.0:
            alpha = call.normalizer.alpha
            assert not isinstance(alpha, torch.Tensor)
            return alpha, 0
        case Hard() if not call.normalizer.straight_through:
            return 0.0, 0
        case TopK() if not surely(call.normalizer.k >= call.k_len):
            return 0.0, call.normalizer.k
    if call.normalizer is sparsemax:
        return 2.0, 0
    return (0.0, 0) if call.normalizer is hard else None


def _learns(call: Call) -> bool:
    return any(tensor.requires_grad for tensor in tensors_of(call.score_mod))


def _search(call: Call) -> Search:
    match call.normalizer:
        case TopK():
            return TOP_K._replace(share=call.normalizer.k / max(1, call.k_len))
        case Entmax() if call.normalizer.alpha != 2.0:
            return (
                ENTMAX_15 if call.normalizer.alpha == 1.5 else _entmax(float(call.normalizer.alpha))
            )
        case Entmax():
            return SPARSEMAX
    return SPARSEMAX if call.normalizer is sparsemax else HARD
