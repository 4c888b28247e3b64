"""Writing token by token is what it claims to be, with every network that writes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from regard.generation import (
    Decoder,
    Hypothesis,
    KeepTopK,
    RepetitionPenalty,
    Temperature,
    decode,
    greedy,
    sample,
)
from regard.sequences import Sequences
from tests.generation.writers import (
    BEGIN,
    END,
    ENDS,
    ROWS,
    SOURCE,
    Counting,
    alone,
    assert_same,
    log_probability,
    transformer,
    written,
)


def by_hand(model: Any, source: Sequences, longest: int) -> Hypothesis:
    """Greedy search without a cache: read everything anew for each token."""
    tokens: list[int] = []
    while len(tokens) < longest and END not in tokens:
        logits = model(source, torch.tensor([[BEGIN, *tokens]]))
        tokens.append(int(logits[0, -1].argmax()))
    score = log_probability(model, source, tokens)
    finished = END in tokens
    return Hypothesis(tuple(tokens[:-1] if finished else tokens), score, finished)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_greedy_search_in_a_padded_batch_equals_search_by_hand(model: Any) -> None:
    assert isinstance(model, Decoder)
    found = greedy(model, model.encode(SOURCE), **ENDS, max_length=6)
    wanted = [by_hand(model, alone(row), 6) for row in range(len(ROWS))]
    assert {answer.finished for answer in wanted} == {True, False}
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


def test_no_answer_is_longer_than_allowed(model: Any) -> None:
    encoded, limits = model.encode(SOURCE), [1, 5, 2, 3, 6]
    free = greedy(model, encoded, **ENDS, max_length=6)
    short = greedy(model, encoded, **ENDS, max_length=torch.tensor(limits))
    for one, other, longest in zip(short, free, limits, strict=True):
        assert written(one) == written(other)[:longest]


def test_a_finished_row_costs_no_more_steps(model: Any) -> None:
    counting = Counting(model)
    found = greedy(counting, model.encode(SOURCE), **ENDS, max_length=6)
    assert counting.rows == sum(len(written(answer)) for answer in found)


def test_steps_are_the_answers_as_they_grow(model: Any) -> None:
    encoded = model.encode(SOURCE)
    tokens: list[list[int]] = [[] for _ in ROWS]
    score = [0.0] * len(ROWS)
    steps = decode(model, encoded, **ENDS, max_length=6, generator=rng(1))
    for number, step in enumerate(steps, 1):
        for row, token, gain in zip(
            step.rows.tolist(), step.tokens.tolist(), step.log_probability.tolist(), strict=True
        ):
            assert END not in tokens[row] and len(tokens[row]) == number - 1
            tokens[row].append(token)
            score[row] += gain
    found = sample(model, encoded, **ENDS, max_length=6, generator=rng(1))
    assert [written(answer) for answer in found] == tokens
    assert [answer.log_probability for answer in found] == pytest.approx(score, abs=1e-9)


def test_a_step_can_be_the_last_that_is_asked_for(model: Any) -> None:
    counting = Counting(model)
    next(decode(counting, model.encode(SOURCE), **ENDS, max_length=6))
    assert counting.rows == len(ROWS)


def test_drawn_answers_follow_the_generator_and_the_temperature(model: Any) -> None:
    encoded = model.encode(SOURCE)

    def draw(seed: int, temperature: float) -> list[Hypothesis]:
        filters = (Temperature(temperature),)
        return sample(model, encoded, filters, **ENDS, max_length=6, generator=rng(seed))

    assert draw(1, 1.0) == draw(1, 1.0) != draw(2, 1.0)
    best = greedy(model, encoded, **ENDS, max_length=6)
    for one, other in zip(draw(1, 1e-4), best, strict=True):
        assert_same(one, other)
    for row, answer in enumerate(draw(1, 3.0)):
        # The model's own probability, whatever the temperature.
        wanted = log_probability(model, alone(row), written(answer))
        assert answer.log_probability == pytest.approx(wanted, abs=1e-9)


def test_a_draw_is_that_of_softmax_and_multinomial(model: Any) -> None:
    encoded = model.encode(SOURCE)
    (first, *_) = decode(model, encoded, Temperature(1.7), **ENDS, max_length=1, generator=rng(5))
    begin = torch.full((len(ROWS), 1), BEGIN)
    weights = torch.softmax(model(SOURCE, begin)[:, 0].float() / 1.7, -1)
    wanted = torch.multinomial(weights, 1, generator=rng(5)).squeeze(1)
    assert torch.equal(first.tokens, wanted)


def test_one_token_to_choose_from_is_greedy(model: Any) -> None:
    encoded = model.encode(SOURCE)
    drawn = sample(model, encoded, KeepTopK(1), **ENDS, max_length=6)
    for one, other in zip(drawn, greedy(model, encoded, **ENDS, max_length=6), strict=True):
        assert_same(one, other)


def test_filters_know_what_a_row_has_written_and_nothing_of_others(model: Any) -> None:
    seen: list[Tensor] = []

    def watch(logits: Tensor, tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return logits

    filters = (watch, RepetitionPenalty(5.0))
    found = greedy(model, model.encode(SOURCE), filters, **ENDS, max_length=6)
    assert [each.shape[1] for each in seen] == list(range(1, len(seen) + 1))
    assert all(bool((each[:, 0] == BEGIN).all()) for each in seen)
    for row, answer in enumerate(found):
        one = greedy(model, model.encode(alone(row)), filters, **ENDS, max_length=6)
        assert_same(answer, one[0])
    plain = greedy(model, model.encode(SOURCE), **ENDS, max_length=6)
    assert [each.tokens for each in plain] != [each.tokens for each in found]


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    model, rows = transformer(), 4000
    source = Sequences(torch.ones(rows, 3, dtype=torch.long))
    torch.manual_seed(0)
    found = sample(model, model.encode(source), Temperature(2.0), begin=BEGIN, max_length=1)
    vocab = model.config.target_vocab
    share = torch.tensor([a.tokens[0] for a in found]).bincount(minlength=vocab) / rows
    logits = model(source.take(torch.tensor([0])), torch.tensor([[BEGIN]]))[0, 0]
    wanted = torch.softmax(logits / 2.0, -1)
    deviation = (wanted * (1 - wanted) / rows).sqrt()
    assert ((share - wanted).abs() < 5 * deviation + 1e-9).all()


def test_every_source_can_begin_with_its_own_token(model: Any) -> None:
    begin = torch.tensor([4, 0, 1, 5, 6])
    found = greedy(model, model.encode(SOURCE), begin=begin, end=END, max_length=5)
    for row, token in enumerate(begin.tolist()):
        one = greedy(model, model.encode(alone(row)), begin=token, end=END, max_length=5)
        assert_same(found[row], one[0])


def test_no_sources_have_no_answers_and_no_length_is_refused(model: Any) -> None:
    none = model.encode(Sequences(torch.ones(0, 4, dtype=torch.long)))
    assert greedy(model, none, **ENDS, max_length=5) == []
    assert list(decode(model, none, **ENDS, max_length=5)) == []
    with pytest.raises(ValueError, match="max_length must be at least 1, got 0"):
        greedy(model, model.encode(SOURCE), **ENDS, max_length=0)
    limits = torch.tensor([3, 1, -2, 4, 5])
    with pytest.raises(ValueError, match="max_length must be at least 1, got -2"):
        decode(model, model.encode(SOURCE), **ENDS, max_length=limits)


def test_nothing_is_learned_from_writing(model: Any) -> None:
    (step, *_) = decode(model, model.encode(SOURCE), **ENDS, max_length=1)
    assert not step.log_probability.requires_grad
