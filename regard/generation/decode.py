"""Decoding token by token: sampled, or greedy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from regard.generation.asked import whole
from regard.generation.decoder import Decoder
from regard.generation.filters import Filters, filtered
from regard.generation.hypothesis import Ends, Hypothesis, ends_of
from regard.generation.row_seeds import RowSeeds
from regard.generation.state import count_rows, device_of_state, take

PerSource = int | Int[Tensor, " batch"]
"""One number for all sources, or one for each."""


@dataclass(frozen=True, eq=False)
class NextTokens:
    """The result of one step: the next token of every row that was not yet finished.

    `log_probability` is the model's own, before filters.
    """

    rows: Int[Tensor, " rows"]
    tokens: Int[Tensor, " rows"]
    log_probability: Float[Tensor, " rows"]


Finished = Callable[[NextTokens], Sequence[bool]]
"""Tells for each row of a step whether it is finished, whatever its token."""


def decode(
    model: Decoder,
    encoded: Any,
    filters: Filters = (),
    *,
    begin: PerSource,
    end: Ends = None,
    max_length: PerSource,
    generator: torch.Generator | RowSeeds | None = None,
    finished: Finished | None = None,
) -> Iterator[NextTokens]:
    """Decode an answer to every source step by step, sampling from the model's softmax.

    A row is finished after `end`, after `max_length` tokens, or when `finished` says so; later
    steps omit it.

    Args:
        encoded: the model's encoding of its input.
        filters: applied to the logits before sampling, such as
            `(Temperature(0.8), KeepTopP(0.9))`; they also get the preceding tokens, which are those
            that `encoded` has read (`encoded.read`), or else `begin`.
        begin: the token before the first; one for each source if they differ.
        end: the token after the last, or several; None if there is no such token.
        max_length: maximum number of tokens, including `end`; one for each source if they differ.
        generator: shared by all rows, or `RowSeeds`, with which no row depends on the others.
        finished: called after each step.

    Raises `ValueError` for a maximum length below 1.

    >>> class Counts:
    ...     def start(self, encoded, beams):
    ...         return encoded
    ...     def step(self, encoded, state, token):
    ...         return torch.nn.functional.one_hot((token + 1) % 5, 5) * 99.0, state
    >>> begin = torch.tensor([0, 1])
    >>> for step in decode(Counts(), torch.zeros(2), begin=begin, end=3, max_length=9):
    ...     step.rows.tolist(), step.tokens.tolist()
    ([0, 1], [1, 2])
    ([0, 1], [2, 3])
    ([0], [3])
    """
    draws = generator.drawing() if isinstance(generator, RowSeeds) else None

    def draw(logits: Tensor, rows: Tensor) -> Tensor:
        weights = torch.softmax(logits.float(), dim=-1)
        if draws is not None:
            return draws(weights, rows)
        assert not isinstance(generator, RowSeeds)
        return torch.multinomial(weights, 1, generator=generator).squeeze(1)

    first = first_tokens(encoded, begin, max_length)
    return _steps(model, encoded, filters, draw, *first, end, finished)


def most_probable(
    model: Decoder,
    encoded: Any,
    filters: Filters = (),
    *,
    begin: PerSource,
    end: Ends = None,
    max_length: PerSource,
    finished: Finished | None = None,
) -> Iterator[NextTokens]:
    """The steps of `decode`, with the most probable token instead of a sampled one."""
    first = first_tokens(encoded, begin, max_length)
    return _steps(model, encoded, filters, _best, *first, end, finished)


def greedy(
    model: Decoder,
    encoded: Any,
    filters: Filters = (),
    *,
    begin: PerSource,
    end: Ends = None,
    max_length: PerSource,
) -> list[Hypothesis]:
    """Greedy decoding, one answer for every source; see `decode`."""
    steps = most_probable(model, encoded, filters, begin=begin, end=end, max_length=max_length)
    return _answers(count_rows(encoded), steps, end)


def sample(
    model: Decoder,
    encoded: Any,
    filters: Filters = (),
    *,
    begin: PerSource,
    end: Ends = None,
    max_length: PerSource,
    generator: torch.Generator | RowSeeds | None = None,
) -> list[Hypothesis]:
    """The answer sampled by `decode` for every source; `log_probability` is without filters."""
    steps = decode(
        model,
        encoded,
        filters,
        begin=begin,
        end=end,
        max_length=max_length,
        generator=generator,
    )
    return _answers(count_rows(encoded), steps, end)


def first_tokens(
    encoded: Any, begin: PerSource, max_length: PerSource
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The token that every source starts with, and its maximum length.

    Raises `ValueError` for a maximum length below 1.
    """
    if not isinstance(max_length, Tensor):
        max_length = whole("max_length", max_length, 1)
    limit = torch.as_tensor(max_length)
    if limit.numel() and int(limit.min()) < 1:
        raise ValueError(f"max_length must be at least 1, got {int(limit.min())}")
    batch, device = count_rows(encoded), device_of_state(encoded)
    return torch.as_tensor(begin).to(device).expand(batch), limit.to(device).expand(batch)


def tokens_before(encoded: Any, first: Int[Tensor, " batch"]) -> Int[Tensor, "batch len"]:
    """The tokens before the first generated one: the prompt, or the token `first`."""
    read = getattr(encoded, "read", None)
    return first.unsqueeze(1) if read is None else read


def _steps(
    model: Decoder,
    encoded: Any,
    filters: Filters,
    choose: Callable[[Tensor, Tensor], Tensor],
    token: Int[Tensor, " batch"],
    limit: Int[Tensor, " batch"],
    end: Ends,
    finished: Finished | None,
) -> Iterator[NextTokens]:
    """The steps of all rows, whose next token `choose` takes from the logits."""
    rows, ends = torch.arange(len(token), device=token.device), token.new_tensor(ends_of(end))
    before, count = tokens_before(encoded, token), 0
    with torch.no_grad():
        state = model.start(encoded, 1) if len(rows) else None
    while len(rows):
        with torch.no_grad():
            logits, state = model.step(encoded, state, token)
            token = choose(filtered(filters, logits, before), rows)
            gain = -F.cross_entropy(logits, token, reduction="none")
        step = NextTokens(rows, token, gain)
        done = None if finished is None else finished(step)
        yield step
        before, count = torch.cat([before, token.unsqueeze(1)], dim=1), count + 1
        stays = (count < limit) & ~torch.isin(token, ends)
        if done is not None:
            stays = stays & ~torch.tensor(done, dtype=torch.bool, device=token.device)
        if not stays.all():
            rest = stays.nonzero().squeeze(1)
            encoded, state = take(encoded, rest, rest), take(state, rest, rest)
            rows, token, limit, before = (x[rest] for x in (rows, token, limit, before))


def _best(logits: Tensor, rows: Tensor) -> Tensor:
    return logits.argmax(-1)


def _answers(batch: int, steps: Iterable[NextTokens], end: Ends) -> list[Hypothesis]:
    """Every source's tokens, put together."""
    written: list[list[int]] = [[] for _ in range(batch)]
    scores: Tensor | None = None
    for step in steps:
        if scores is None:
            wide = torch.promote_types(step.log_probability.dtype, torch.float32)
            scores = step.log_probability.new_zeros(batch, dtype=wide)
        scores[step.rows] += step.log_probability
        for row, token in zip(step.rows.tolist(), step.tokens.tolist(), strict=True):
            written[row].append(token)
    totals = [] if scores is None else scores.tolist()
    return [Hypothesis.of(row, total, end) for row, total in zip(written, totals, strict=True)]
