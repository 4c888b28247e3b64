"""Search finds what it claims to find, with every model that can write."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.models.search import Hypothesis, Writer, beam, greedy, sample
from tests.models.luong.small import small_model as small_luong
from tests.models.rnnsearch.small import small_model as small_rnnsearch
from tests.models.transformer.small import BEGIN, END, LENGTHS, LM, ragged_batch, small_model


def log_probability(model: Any, source: Tensor, tokens: list[int]) -> float:
    """The probability of an answer without any search: teacher forcing."""
    logits = model(source, torch.tensor([[BEGIN, *tokens[:-1]]]))
    chosen = logits[0].log_softmax(-1)[torch.arange(len(tokens)), torch.tensor(tokens)]
    return chosen.sum().item()


def by_hand(model: Any, source: Tensor, longest: int) -> Hypothesis:
    """Greedy search without a cache: read everything anew for each token."""
    tokens: list[int] = []
    while len(tokens) < longest and END not in tokens:
        logits = model(source, torch.tensor([[BEGIN, *tokens]]))
        tokens.append(int(logits[0, -1].argmax()))
    score = log_probability(model, source, tokens)
    finished = END in tokens
    return Hypothesis(tuple(tokens[:-1] if finished else tokens), score, finished)


def written(answer: Hypothesis) -> list[int]:
    return [*answer.tokens, *([END] if answer.finished else [])]


def assert_same(found: Hypothesis, wanted: Hypothesis) -> None:
    assert (found.tokens, found.finished) == (wanted.tokens, wanted.finished)
    assert found.log_probability == pytest.approx(wanted.log_probability, abs=1e-9)


@pytest.fixture(params=["rnnsearch", "luong", "transformer"])
def model(request: pytest.FixtureRequest) -> Any:
    # Weights with which some sentences end early and some never.
    if request.param == "rnnsearch":
        model = small_rnnsearch()
        with torch.no_grad():
            model.output.bias[END] += 1.5
        return model
    if request.param == "luong":
        model = small_luong(attention="local_p")
        with torch.no_grad():
            model.output.weight *= 2
            model.output.bias[END] += 2
        return model
    return small_model(norm="pre", target_vocab=7, encoder_layers=1, decoder_layers=2, seed=4)


def test_greedy_search_in_a_padded_batch_equals_search_by_hand(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    found = greedy(model, model.encode(source, lengths), BEGIN, END, max_length=6)
    wanted = [by_hand(model, source[i : i + 1, :n], 6) for i, n in enumerate(LENGTHS)]
    assert {answer.finished for answer in wanted} == {True, False}
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


def test_a_beam_of_one_is_greedy(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    encoded = model.encode(source, lengths)
    for (one,), other in zip(
        beam(model, encoded, BEGIN, END, 6, beams=1),
        greedy(model, encoded, BEGIN, END, 6),
        strict=True,
    ):
        assert_same(one, other)


@pytest.mark.parametrize(("beams", "penalty"), [(2, None), (9, None), (4, 0.0), (3, 0.6)])
def test_answers_are_distinct_sorted_and_as_probable_as_claimed(
    model: Any, beams: int, penalty: float | None
) -> None:
    source, lengths, _ = ragged_batch()
    found = beam(model, model.encode(source, lengths), BEGIN, END, 6, beams, penalty)
    for row, answers in enumerate(found):
        assert 1 <= len(answers) <= beams
        assert len({(answer.tokens, answer.finished) for answer in answers}) == len(answers)
        ranks = []
        for answer in answers:
            n = len(written(answer))
            share = n if penalty is None else ((5 + n) / 6) ** penalty
            ranks.append(answer.log_probability / share)
            wanted = log_probability(model, source[row : row + 1, : LENGTHS[row]], written(answer))
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)
        assert ranks == sorted(ranks, reverse=True)


def test_a_penalty_for_length_prefers_longer_answers(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    totals = []
    for penalty in (0.0, 0.6, 3.0):
        found = beam(model, model.encode(source, lengths), BEGIN, END, 6, 4, penalty)
        totals.append(sum(len(answers[0].tokens) for answers in found))
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_a_beam_in_a_padded_batch_equals_a_beam_alone(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    batched = beam(model, model.encode(source, lengths), BEGIN, END, 6, beams=3)
    for row, length in enumerate(LENGTHS):
        encoded = model.encode(source[row : row + 1, :length])
        (alone,) = beam(model, encoded, BEGIN, END, 6, beams=3)
        for one, other in zip(batched[row], alone, strict=True):
            assert_same(one, other)


@pytest.mark.parametrize("penalty", [None, 0.6])
def test_a_beam_as_wide_as_all_answers_finds_the_best_of_all(
    model: Any, penalty: float | None
) -> None:
    source, longest, vocab = ragged_batch()[0][:1, :4], 2, model.config.target_vocab
    others = [token for token in range(vocab) if token != END]
    every = [list(head) for head in product(others, repeat=longest)]
    every += [[*head, END] for n in range(longest) for head in product(others, repeat=n)]

    def rank(tokens: list[int]) -> float:
        n = len(tokens)
        share = n if penalty is None else ((5 + n) / 6) ** penalty
        return log_probability(model, source, tokens) / share

    ranked = sorted(every, key=rank, reverse=True)
    (found,) = beam(model, model.encode(source), BEGIN, END, longest, len(every), penalty)
    assert [written(answer) for answer in found] == ranked


def test_no_answer_is_longer_than_allowed(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    encoded, limits = model.encode(source, lengths), torch.tensor([1, 5, 2, 3, 6])
    free = greedy(model, encoded, BEGIN, END, 6)
    for limit in (2, limits):
        most = limit.tolist() if isinstance(limit, Tensor) else [limit] * len(LENGTHS)
        found = beam(model, encoded, BEGIN, END, limit, beams=3)
        for answers, longest in zip(found, most, strict=True):
            assert all(len(written(answer)) <= longest for answer in answers)
        short = greedy(model, encoded, BEGIN, END, limit)
        for one, other, longest in zip(short, free, most, strict=True):
            assert written(one) == written(other)[:longest]


@pytest.mark.parametrize(("beams", "max_length"), [(0, 5), (3, 0)])
def test_an_empty_search_is_refused(model: Any, beams: int, max_length: int) -> None:
    encoded = model.encode(ragged_batch()[0])
    with pytest.raises(ValueError, match=f"got {beams} and {max_length}"):
        beam(model, encoded, BEGIN, END, max_length, beams)
    with pytest.raises(ValueError, match="length_penalty must not be negative, got -0.5"):
        beam(model, encoded, BEGIN, END, 5, 2, -0.5)


def test_no_sentences_have_no_answers(model: Any) -> None:
    encoded = model.encode(torch.ones(0, 4, dtype=torch.long))
    assert greedy(model, encoded, BEGIN, END, 5) == []
    assert beam(model, encoded, BEGIN, END, 5) == []


class Counting:
    """A writer that counts the rows it is asked to continue."""

    def __init__(self, model: Writer) -> None:
        self.model, self.rows = model, 0
        self.start, self.reorder, self.select = model.start, model.reorder, model.select

    def step(self, encoded: Any, state: Any, token: Tensor) -> tuple[Tensor, Any]:
        self.rows += token.numel()
        return self.model.step(encoded, state, token)


def test_a_finished_sentence_costs_no_more_steps(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    counting = Counting(model)
    found = greedy(counting, model.encode(source, lengths), BEGIN, END, 6)
    assert counting.rows == sum(len(written(answer)) for answer in found)
    counting = Counting(model)
    found = beam(counting, model.encode(source, lengths), BEGIN, END, 6, beams=3)
    longest = [max(len(written(answer)) for answer in answers) for answers in found]
    assert counting.rows <= 3 * 6 * len(LENGTHS)
    assert counting.rows >= 3 * sum(longest)


def test_drawn_answers_follow_the_seed_and_the_temperature(model: Any) -> None:
    source, lengths, _ = ragged_batch()
    encoded = model.encode(source, lengths)

    def draw(seed: int, temperature: float) -> list[Hypothesis]:
        rng = torch.Generator().manual_seed(seed)
        return sample(model, encoded, BEGIN, END, 6, temperature, rng)

    assert draw(1, 1.0) == draw(1, 1.0) != draw(2, 1.0)
    for one, other in zip(draw(1, 1e-4), greedy(model, encoded, BEGIN, END, 6), strict=True):
        assert_same(one, other)
    for row, answer in enumerate(draw(1, 3.0)):
        one = source[row : row + 1, : LENGTHS[row]]
        wanted = log_probability(model, one, written(answer))
        assert answer.log_probability == pytest.approx(wanted, abs=1e-9)
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature must be positive"):
            draw(1, temperature)


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    model, rows = small_model(), 4000
    source = torch.ones(rows, 3, dtype=torch.long)
    found = sample(model, model.encode(source), BEGIN, None, 1, temperature=2.0)
    share = torch.tensor([answer.tokens[0] for answer in found]).bincount(minlength=11) / rows
    logits = model(source[:1], torch.tensor([[BEGIN]]))[0, 0]
    wanted = torch.softmax(logits / 2.0, -1)
    deviation = (wanted * (1 - wanted) / rows).sqrt()
    assert ((share - wanted).abs() < 5 * deviation + 1e-9).all()


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_language_model_continues_its_prompts(positions: str) -> None:
    longest = 20 if positions == "learned" else None
    model = small_model(config=LM, positions=positions, max_length=longest)
    prompt = model.encode(ragged_batch()[2])
    found = greedy(model, prompt, prompt.last, None, 7)
    tokens = prompt.tokens
    for _ in range(7):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    assert [list(answer.tokens) for answer in found] == tokens[:, 5:].tolist()
    assert not any(answer.finished for answer in found)
    wide = beam(model, prompt, prompt.last, END, 7, beams=5)
    for row, answers in enumerate(wide):
        for answer in answers:
            whole = torch.tensor([*prompt.tokens[row].tolist(), *written(answer)])
            logits = model(whole[None, :-1])[0, 4:].log_softmax(-1)
            wanted = logits.gather(1, whole[5:, None]).sum().item()
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("length", [1, 4, 5, 9])
def test_a_text_longer_than_its_positions_keeps_its_newer_half(length: int) -> None:
    model = small_model(config=LM, positions="learned", max_length=4)
    prompt = model.encode(torch.randint(0, 11, (3, length)))
    found = greedy(model, prompt, prompt.last, None, 9)
    assert all(len(answer.tokens) == 9 for answer in found)
    # Read by hand: positions fill up to four, then two are kept.
    tokens = prompt.tokens[:, :-1]
    tokens = tokens if length - 1 < 4 else tokens[:, -2:]
    new = prompt.tokens[:, -1:]
    for step in range(9):
        tokens = torch.cat([tokens if tokens.shape[1] < 4 else tokens[:, -2:], new], dim=1)
        new = model(tokens)[:, -1:].argmax(-1)
        assert new[:, 0].tolist() == [answer.tokens[step] for answer in found]


def test_a_prompt_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        small_model(config=LM).encode(torch.ones(2, 0, dtype=torch.long))
