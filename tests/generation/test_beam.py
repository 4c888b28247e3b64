"""Beam search finds what it claims to find, with every network that writes."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.generation import beam_search, greedy
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
    written,
)


def test_a_beam_of_one_is_greedy(model: Any) -> None:
    encoded = model.encode(SOURCE)
    narrow = beam_search(model, encoded, **ENDS, max_length=6, beams=1)
    best = greedy(model, encoded, **ENDS, max_length=6)
    for (one,), other in zip(narrow, best, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(("beams", "penalty"), [(2, None), (9, None), (4, 0.0), (3, 0.6)])
def test_answers_are_distinct_sorted_and_as_probable_as_claimed(
    model: Any, beams: int, penalty: float | None
) -> None:
    encoded = model.encode(SOURCE)
    found = beam_search(model, encoded, **ENDS, max_length=6, beams=beams, length_penalty=penalty)
    for row, answers in enumerate(found):
        assert 1 <= len(answers) <= beams
        assert len({(answer.tokens, answer.finished) for answer in answers}) == len(answers)
        ranks = []
        for answer in answers:
            n = len(written(answer))
            share = n if penalty is None else ((5 + n) / 6) ** penalty
            ranks.append(answer.log_probability / share)
            wanted = log_probability(model, alone(row), written(answer))
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)
        assert ranks == sorted(ranks, reverse=True)


def test_a_penalty_for_length_prefers_longer_answers(model: Any) -> None:
    encoded, totals = model.encode(SOURCE), []
    for penalty in (0.0, 0.6, 3.0):
        found = beam_search(model, encoded, **ENDS, max_length=6, beams=4, length_penalty=penalty)
        totals.append(sum(len(answers[0].tokens) for answers in found))
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_a_beam_in_a_padded_batch_equals_a_beam_alone(model: Any) -> None:
    batched = beam_search(model, model.encode(SOURCE), **ENDS, max_length=6, beams=3)
    for row in range(len(ROWS)):
        encoded = model.encode(alone(row))
        (single,) = beam_search(model, encoded, **ENDS, max_length=6, beams=3)
        for one, other in zip(batched[row], single, strict=True):
            assert_same(one, other)


@pytest.mark.parametrize("penalty", [None, 0.6])
def test_a_beam_as_wide_as_all_answers_finds_the_best_of_all(
    model: Any, penalty: float | None
) -> None:
    source, longest, vocab = Sequences(SOURCE.ids[:1, :4]), 2, model.config.target_vocab
    others = [token for token in range(vocab) if token != END]
    every = [list(head) for head in product(others, repeat=longest)]
    every += [[*head, END] for n in range(longest) for head in product(others, repeat=n)]

    def rank(tokens: list[int]) -> float:
        n = len(tokens)
        share = n if penalty is None else ((5 + n) / 6) ** penalty
        return log_probability(model, source, tokens) / share

    ranked = sorted(every, key=rank, reverse=True)
    (found,) = beam_search(
        model,
        model.encode(source),
        **ENDS,
        max_length=longest,
        beams=len(every),
        length_penalty=penalty,
    )
    assert [written(answer) for answer in found] == ranked


def test_no_answer_is_longer_than_allowed(model: Any) -> None:
    encoded = model.encode(SOURCE)
    for limit in (2, torch.tensor([1, 5, 2, 3, 6])):
        most = limit.tolist() if isinstance(limit, Tensor) else [limit] * len(ROWS)
        found = beam_search(model, encoded, **ENDS, max_length=limit, beams=3)
        for answers, longest in zip(found, most, strict=True):
            assert all(len(written(answer)) <= longest for answer in answers)


def test_without_an_end_every_answer_is_as_long_as_allowed(model: Any) -> None:
    limits = [2, 1, 3, 2, 4]
    found = beam_search(
        model, model.encode(SOURCE), begin=BEGIN, max_length=torch.tensor(limits), beams=3
    )
    for answers, limit in zip(found, limits, strict=True):
        assert {len(answer.tokens) for answer in answers} == {limit}
        assert not any(answer.finished for answer in answers)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"beams": 0}, "beams must be at least 1, got 0"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"length_penalty": -0.5}, "length_penalty must not be negative, got -0.5"),
    ],
)
def test_an_empty_search_is_refused(model: Any, named: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        beam_search(model, model.encode(SOURCE), **ENDS, **{"max_length": 5} | named)


def test_no_sources_have_no_answers(model: Any) -> None:
    encoded = model.encode(Sequences(torch.ones(0, 4, dtype=torch.long)))
    assert beam_search(model, encoded, **ENDS, max_length=5) == []


def test_a_finished_source_costs_no_more_steps(model: Any) -> None:
    counting = Counting(model)
    found = beam_search(counting, model.encode(SOURCE), **ENDS, max_length=6, beams=3)
    longest = [max(len(written(answer)) for answer in answers) for answers in found]
    assert 3 * sum(longest) <= counting.rows <= 3 * 6 * len(ROWS)
