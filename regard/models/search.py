"""Writing with any model that answers a token with logits: greedy, beam search, sampling."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """One answer: its tokens without `</s>`, and how probable it is.

    `log_probability` is the sum over the tokens and `</s>`, in nats; `finished` is False for an
    answer that was cut off at the greatest length allowed.
    """

    tokens: tuple[int, ...]
    log_probability: float
    finished: bool


@runtime_checkable
class Writer(Protocol):
    """What a search needs of a model. `encoded` is what the model made of its input.

    `encoded.batch` is its number of sentences; states are the model's own affair.
    """

    def start(self, encoded: Any, beams: int) -> Any:
        """The state before the first token."""
        ...

    def step(self, encoded: Any, state: Any, token: Tensor) -> tuple[Tensor, Any]:
        """Logits `[batch, beams, vocab]` of what follows `token`, and the state after it."""
        ...

    def reorder(self, state: Any, parent: Tensor) -> Any:
        """The state in which each beam continues the beam `parent` of its sentence."""
        ...

    def select(self, encoded: Any, state: Any, sentences: Tensor) -> tuple[Any, Any]:
        """Both for some of the sentences."""
        ...


Begin = int | Int[Tensor, " batch"]
Limit = int | Int[Tensor, " batch"]


def greedy(
    model: Writer, encoded: Any, begin: Begin, end: int | None, max_length: Limit
) -> list[Hypothesis]:
    """The most probable token at each step, for every sentence of a batch; see `beam`."""
    return _write(model, encoded, begin, end, max_length, lambda logits: logits.argmax(-1))


def sample(
    model: Writer,
    encoded: Any,
    begin: Begin,
    end: int | None,
    max_length: Limit,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[Hypothesis]:
    """Tokens drawn from softmax(logits / temperature), one answer for every sentence; see `beam`.

    `log_probability` is the model's, at temperature 1. Raises `ValueError` unless the temperature
    is positive.
    """
    if not 0.0 < temperature < inf:
        raise ValueError(f"temperature must be positive and finite, got {temperature}; use greedy")

    def draw(logits: Tensor) -> Tensor:
        weights = torch.softmax(logits.float() / temperature, dim=-1)
        return torch.multinomial(weights, 1, generator=generator).squeeze(1)

    return _write(model, encoded, begin, end, max_length, draw)


@torch.no_grad()
def _write(
    model: Writer,
    encoded: Any,
    begin: Begin,
    end: int | None,
    max_length: Limit,
    choose: Callable[[Tensor], Tensor],
) -> list[Hypothesis]:
    """One answer for every sentence, whose next token `choose` takes from the logits."""
    token, limit = _first(encoded, begin, max_length, beams=1)
    sentences = torch.arange(encoded.batch, device=token.device)
    tokens: list[list[int]] = [[] for _ in range(encoded.batch)]
    scores = torch.zeros(encoded.batch, device=token.device)
    state = model.start(encoded, 1) if encoded.batch else None
    length = 0
    while len(sentences):
        logits, state = model.step(encoded, state, token)
        logits, length = logits.squeeze(1), length + 1
        chosen = choose(logits)
        gain = logits.gather(1, chosen.unsqueeze(1)).squeeze(1) - logits.logsumexp(-1)
        scores = scores.to(torch.promote_types(gain.dtype, scores.dtype))
        scores[sentences] += gain
        for sentence, new in zip(sentences.tolist(), chosen.tolist(), strict=True):
            tokens[sentence].append(new)
        stays = length < limit if end is None else (chosen != end) & (length < limit)
        token = chosen.unsqueeze(1)
        if not stays.all():
            rest = stays.nonzero().squeeze(1)
            encoded, state = model.select(encoded, state, rest)
            sentences, limit, token = sentences[rest], limit[rest], token[rest]
    rows = zip(tokens, scores.tolist(), strict=True)
    return [_hypothesis(row, score, end) for row, score in rows]


@torch.no_grad()
def beam(
    model: Writer,
    encoded: Any,
    begin: Begin,
    end: int | None,
    max_length: Limit,
    beams: int = 4,
    length_penalty: float | None = None,
) -> list[list[Hypothesis]]:
    """The best answers that `beams` parallel searches find, best first, for every sentence.

    Answers are ranked by log-probability per token (`</s>` counted), so that a long one does not
    lose for its length alone, or by `log p / ((5 + n) / 6)^length_penalty` for n tokens. A finished
    answer keeps its place among the beams until better ones push it out; the search for a sentence
    ends when none of its beams is unfinished, or at `max_length` tokens.

    Args:
        begin: the token before the first; one for each sentence if they differ.
        end: the token after the last; None if there is no such token.
        max_length: greatest number of tokens, `</s>` counted; one for each sentence if they differ.
        beams: number of parallel searches, of which each sentence gets at most that many answers.
        length_penalty: None ranks by the mean; 0.0 by log p alone; the Transformer paper has 0.6.

    Raises `ValueError` for fewer than one beam or token, or a negative penalty.

    References:
        Wu et al. Google's Neural Machine Translation System: Bridging the Gap between Human and
        Machine Translation. 2016. https://arxiv.org/abs/1609.08144
    """
    token, limit = _first(encoded, begin, max_length, beams)
    if length_penalty is not None and length_penalty < 0.0:
        raise ValueError(f"length_penalty must not be negative, got {length_penalty}")
    found: list[list[Hypothesis]] = [[] for _ in range(encoded.batch)]
    sentences = torch.arange(encoded.batch, device=token.device)
    state = model.start(encoded, beams) if encoded.batch else None
    # All beams start equal, so only the first may be continued.
    score = torch.full(token.shape, -inf, device=token.device)
    score[:, 0] = 0.0
    written = token[..., None][..., :0]
    length, done = torch.zeros_like(token), torch.zeros_like(token, dtype=torch.bool)
    while len(sentences):
        logits, state = model.step(encoded, state, token)
        length = length + ~done
        parent, token, score = _best(logits, score, length, done, end, length_penalty)
        state = model.reorder(state, parent)
        written = torch.take_along_dim(written, parent.unsqueeze(-1), dim=1)
        written = torch.cat([written, token.unsqueeze(-1)], dim=-1)
        length = length.gather(1, parent)
        done = torch.zeros_like(done) if end is None else token == end
        over = done.all(1) | (written.shape[-1] >= limit)
        if over.any():
            _collect(found, sentences[over], written[over], score[over], end)
            rest = (~over).nonzero().squeeze(1)
            encoded, state = model.select(encoded, state, rest)
            sentences, limit, token, score, written, length, done = (
                x[rest] for x in (sentences, limit, token, score, written, length, done)
            )
    return found


def _first(
    encoded: Any, begin: Begin, max_length: Limit, beams: int
) -> tuple[Int[Tensor, "batch beams"], Int[Tensor, " batch"]]:
    """The token that every beam begins with, and the greatest length of every sentence."""
    limit = max_length if isinstance(max_length, Tensor) else torch.tensor(max_length)
    shortest = int(limit.min()) if limit.numel() else 1
    if beams < 1 or shortest < 1:
        raise ValueError(f"beams and max_length must be at least 1, got {beams} and {shortest}")
    device = encoded.device
    first = begin if isinstance(begin, Tensor) else torch.tensor(begin)
    first = first.to(device).expand(encoded.batch)
    token = rearrange(first, "batch -> batch 1").expand(-1, beams)
    return token, limit.to(device).expand(encoded.batch)


def _best(
    logits: Float[Tensor, "batch beams vocab"],
    score: Float[Tensor, "batch beams"],
    length: Int[Tensor, "batch beams"],
    done: Bool[Tensor, "batch beams"],
    end: int | None,
    length_penalty: float | None,
) -> tuple[Int[Tensor, "batch beams"], Int[Tensor, "batch beams"], Float[Tensor, "batch beams"]]:
    """Which beams to continue, with which token, and the log-probability that this gives."""
    beams, each = logits.shape[1], min(logits.shape[1:])
    # Within a beam the order of its continuations is that of their logits.
    gain, token = logits.topk(each, dim=-1)
    gain = gain - logits.logsumexp(-1, keepdim=True)
    if end is not None:
        # A finished answer goes on with `</s>` at no cost, and with nothing else.
        idle = torch.full_like(gain[0, 0], -inf)
        idle[0] = 0.0
        gain = torch.where(done.unsqueeze(-1), idle, gain)
        token = torch.where(done.unsqueeze(-1), end, token)
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
    sentences: Int[Tensor, " some"],
    written: Int[Tensor, "some beams len"],
    score: Float[Tensor, "some beams"],
    end: int | None,
) -> None:
    """Put the answers of these sentences in their places."""
    columns = (sentences.tolist(), written.tolist(), score.tolist())
    for sentence, rows, scores in zip(*columns, strict=True):
        answers = zip(rows, scores, strict=True)
        found[sentence] = [_hypothesis(row, s, end) for row, s in answers if s > -inf]


def _hypothesis(tokens: list[int], score: float, end: int | None) -> Hypothesis:
    finished = end is not None and end in tokens
    stop = tokens.index(end) if end is not None and finished else len(tokens)
    return Hypothesis(tuple(tokens[:stop]), score, finished)
