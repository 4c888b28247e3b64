"""Beam search with any model that maps a token to logits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard.generation.asked import MOST_BEAMS, penalty, whole
from regard.generation.decode import PerSource, first_tokens, tokens_before
from regard.generation.decoder import Decoder
from regard.generation.filters import Filters, filtered
from regard.generation.hypothesis import Ends, Hypothesis, ends_of
from regard.generation.state import count_rows, rows_of_beams, rows_of_sources, take


@dataclass(frozen=True, eq=False)
class NextBeams:
    """The result of one search step: for each beam, the beam it continues, and its token.

    Args:
        sources: the sources still being searched.
        parent: the previous beam that each continues.
        tokens: the new tokens; meaningless for a beam that was already finished.
    """

    sources: Int[Tensor, " some"]
    parent: Int[Tensor, "some beams"]
    tokens: Int[Tensor, "some beams"]


FinishedBeams = Callable[[NextBeams], Sequence[Sequence[bool]]]
"""Tells for each beam of a step whether it is finished, whatever its token."""


@torch.no_grad()
def beam_search(
    model: Decoder,
    encoded: Any,
    filters: Filters = (),
    *,
    begin: PerSource,
    end: Ends = None,
    max_length: PerSource,
    beams: int = 4,
    length_penalty: float | None = None,
    finished: FinishedBeams | None = None,
) -> list[list[Hypothesis]]:
    """The best answers found with `beams` beams, best first, for every source.

    Answers are ranked by log-probability per token (including `end`), so that long ones are not
    penalized for their length, or by `log p / ((5 + n) / 6)^length_penalty` for n tokens. A
    finished answer keeps its beam until better ones displace it; the search for a source ends when
    all of its beams are finished, or at `max_length` tokens.

    Args:
        encoded, begin, end, max_length: as in `regard.generation.decode`.
        filters: applied to the log-probabilities of the next token before they are added to those
            of the beam; answers are ranked by these sums.
        beams: number of beams, and maximum number of answers per source.
        length_penalty: None ranks by the mean; 0.0 by log p alone; the Transformer paper uses 0.6.
        finished: called after each step.

    Raises `ValueError` for fewer than one beam or token, or a penalty that is negative or not
    finite.

    References:
        Wu et al. Google's Neural Machine Translation System: Bridging the Gap between Human and
        Machine Translation. 2016. https://arxiv.org/abs/1609.08144
    """
    beams, length_penalty = whole("beams", beams, 1, MOST_BEAMS), penalty(length_penalty)
    first, limit = first_tokens(encoded, begin, max_length)
    ends = first.new_tensor(ends_of(end))
    found: list[list[Hypothesis]] = [[] for _ in range(count_rows(encoded))]
    sources = torch.arange(len(first), device=first.device)
    state = model.start(encoded, beams) if len(first) else None
    token = repeat(first, "batch -> batch beams", beams=beams)
    # All beams start equal, so only the first may be continued.
    score = torch.full(token.shape, -inf, device=token.device)
    score[:, 0] = 0.0
    before = repeat(tokens_before(encoded, first), "batch len -> batch beams len", beams=beams)
    written = token[..., None][..., :0]
    length, done = torch.zeros_like(token), torch.zeros_like(token, dtype=torch.bool)
    while len(sources):
        rows = rearrange(token, "batch beams -> (batch beams)")
        logits, state = model.step(encoded, state, rows)
        gain = torch.log_softmax(logits, dim=-1)
        seen = rearrange(torch.cat([before, written], -1), "batch beams len -> (batch beams) len")
        gain = filtered(filters, gain, seen)
        gain = rearrange(gain, "(batch beams) vocab -> batch beams vocab", beams=beams)
        length = length + ~done
        parent, token, score = _best(gain, score, length, done, ends, length_penalty)
        state = take(state, rows_of_beams(parent, beams))
        written = torch.take_along_dim(written, parent.unsqueeze(-1), dim=1)
        written = torch.cat([written, token.unsqueeze(-1)], dim=-1)
        length, done = length.gather(1, parent), done.gather(1, parent) | torch.isin(token, ends)
        if finished is not None:
            now = finished(NextBeams(sources, parent, token))
            done = done | torch.tensor(now, dtype=torch.bool, device=token.device)
        over = done.all(1) | (written.shape[-1] >= limit)
        if over.any():
            _collect(
                found, sources[over], written[over], length[over], score[over], done[over], end
            )
            rest = (~over).nonzero().squeeze(1)
            encoded = take(encoded, rest, rest)
            state = take(state, rows_of_sources(rest, beams), rest)
            sources, limit, token, score, before, written, length, done = (
                x[rest] for x in (sources, limit, token, score, before, written, length, done)
            )
    return found


def _best(
    gain: Float[Tensor, "batch beams vocab"],
    score: Float[Tensor, "batch beams"],
    length: Int[Tensor, "batch beams"],
    done: Bool[Tensor, "batch beams"],
    ends: Int[Tensor, " ends"],
    length_penalty: float | None,
) -> tuple[Int[Tensor, "batch beams"], Int[Tensor, "batch beams"], Float[Tensor, "batch beams"]]:
    """Which beams to continue, with which token, and the log-probability that this gives."""
    beams, each = gain.shape[1], min(gain.shape[1:])
    gain, token = gain.topk(each, dim=-1)
    # A finished answer goes on with `</s>`, or what else says nothing, at no cost, and no other.
    idle = torch.full_like(gain[0, 0], -inf)
    idle[0] = 0.0
    gain = torch.where(done.unsqueeze(-1), idle, gain)
    token = torch.where(done.unsqueeze(-1), ends[0] if len(ends) else 0, token)
    total = score.unsqueeze(-1) + gain
    ranked = total / _penalty(length, length_penalty, total.dtype).unsqueeze(-1)
    flat = "batch beams each -> batch (beams each)"
    chosen = rearrange(ranked, flat).topk(beams, dim=-1).indices
    token, total = rearrange(token, flat), rearrange(total, flat)
    return chosen // each, token.gather(1, chosen), total.gather(1, chosen)


def _penalty(length: Tensor, alpha: float | None, dtype: torch.dtype) -> Tensor:
    """What a log-probability is divided by before answers are compared."""
    length = length.to(dtype)
    return length if alpha is None else ((5.0 + length) / 6.0) ** alpha


def _collect(
    found: list[list[Hypothesis]],
    sources: Int[Tensor, " some"],
    written: Int[Tensor, "some beams len"],
    length: Int[Tensor, "some beams"],
    score: Float[Tensor, "some beams"],
    done: Bool[Tensor, "some beams"],
    end: Ends,
) -> None:
    """Put the answers of these sources in their places."""
    for place, source in enumerate(sources.tolist()):
        columns = (each[place].tolist() for each in (written, length, score, done))
        answers = [
            replace(Hypothesis.of(row[:count], total, end), finished=over)
            for row, count, total, over in zip(*columns, strict=True)
            if total > -inf
        ]
        found[source] = answers
