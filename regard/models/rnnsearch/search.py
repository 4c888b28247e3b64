"""Writing with RNNsearch: greedy and beam search over the cached annotations."""

from dataclasses import dataclass
from math import inf

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard.models.rnnsearch.model import Encoded, RNNsearch


@dataclass(frozen=True)
class Hypothesis:
    """One answer: its tokens without `</s>`, and how probable it is.

    `log_probability` is the sum over the tokens and `</s>`, in nats; `finished` is False for an
    answer that was cut off at the greatest length allowed.
    """

    tokens: tuple[int, ...]
    log_probability: float
    finished: bool


def greedy(
    model: RNNsearch, encoded: Encoded, begin: int, end: int, max_length: int
) -> list[Hypothesis]:
    """The most probable token at each step, for every sentence of a batch."""
    return [best for (best,) in beam(model, encoded, begin, end, max_length, beams=1)]


@torch.no_grad()
def beam(
    model: RNNsearch, encoded: Encoded, begin: int, end: int, max_length: int, beams: int = 4
) -> list[list[Hypothesis]]:
    """The best answers that `beams` parallel searches find, best first, for every sentence.

    Answers are ranked by log-probability per token (`</s>` counted), so that a long one does not
    lose for its length alone. A finished answer keeps its place among the beams until better ones
    push it out; the search ends when no beam is unfinished, or at `max_length` tokens.

    Args:
        begin: the token before the first.
        end: the token after the last.
        max_length: greatest number of tokens, `</s>` counted.
        beams: number of parallel searches, of which each sentence gets at most that many answers.

    Raises `ValueError` for fewer than one beam or token.
    """
    if beams < 1 or max_length < 1:
        raise ValueError(f"beams and max_length must be at least 1, got {beams} and {max_length}")
    batch = encoded.state.shape[0]
    state = encoded.state.expand(batch, beams, -1)
    token = torch.full((batch, beams), begin, device=state.device)
    # All beams start equal, so only the first may be continued.
    score = state.new_full((batch, beams), -inf)
    score[:, 0] = 0
    written = token.new_empty(batch, beams, 0)
    length = torch.zeros_like(token)
    done = torch.zeros_like(token, dtype=torch.bool)
    while written.shape[-1] < max_length and not done.all():
        logits, state = model.step(encoded, state, token)
        length = length + ~done
        parent, token, score = _best(logits, score, length, done, end)
        state = torch.take_along_dim(state, parent.unsqueeze(-1), dim=1)
        written = torch.take_along_dim(written, parent.unsqueeze(-1), dim=1)
        written = torch.cat([written, token.unsqueeze(-1)], dim=-1)
        length = length.gather(1, parent)
        done = token == end
    columns = zip(written.tolist(), score.tolist(), strict=True)
    return [
        [_hypothesis(*row, end) for row in zip(*rows, strict=True) if row[1] > -inf]
        for rows in columns
    ]


def _best(
    logits: Float[Tensor, "batch beams vocab"],
    score: Float[Tensor, "batch beams"],
    length: Int[Tensor, "batch beams"],
    done: Bool[Tensor, "batch beams"],
    end: int,
) -> tuple[Int[Tensor, "batch beams"], Int[Tensor, "batch beams"], Float[Tensor, "batch beams"]]:
    """Which beams to continue, with which token, and the log-probability that this gives."""
    _, beams, vocab = logits.shape
    # A finished answer goes on with `</s>` at no cost, and with nothing else.
    idle = torch.full_like(logits[0, 0], -inf)
    idle[end] = 0
    total = score.unsqueeze(-1) + torch.where(done.unsqueeze(-1), idle, logits.log_softmax(-1))
    ranked = rearrange(total / length.unsqueeze(-1), "batch beams vocab -> batch (beams vocab)")
    chosen = ranked.topk(beams, dim=-1).indices
    total = rearrange(total, "batch beams vocab -> batch (beams vocab)")
    return chosen // vocab, chosen % vocab, total.gather(1, chosen)


def _hypothesis(tokens: list[int], score: float, end: int) -> Hypothesis:
    finished = end in tokens
    stop = tokens.index(end) if finished else len(tokens)
    return Hypothesis(tuple(tokens[:stop]), score, finished)
