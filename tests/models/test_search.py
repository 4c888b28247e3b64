"""Search finds what it claims to find."""

from itertools import product

import pytest
import torch
from torch import Tensor

from regard.models.rnnsearch import Hypothesis, RNNsearch, beam, greedy
from tests.models.rnnsearch.small import BEGIN, CONFIG, END, LENGTHS, ragged_batch, small_model


def log_probability(model: RNNsearch, source: Tensor, tokens: list[int]) -> float:
    """The probability of an answer without any search: teacher forcing."""
    logits = model(source, torch.tensor([[BEGIN, *tokens[:-1]]]))
    chosen = logits[0].log_softmax(-1)[torch.arange(len(tokens)), torch.tensor(tokens)]
    return chosen.sum().item()


def by_hand(model: RNNsearch, source: Tensor, longest: int) -> Hypothesis:
    """Greedy search without a cache: read everything anew for each token."""
    tokens: list[int] = []
    while len(tokens) < longest and END not in tokens:
        logits = model(source, torch.tensor([[BEGIN, *tokens]]))
        tokens.append(int(logits[0, -1].argmax()))
    score = log_probability(model, source, tokens)
    finished = END in tokens
    return Hypothesis(tuple(tokens[:-1] if finished else tokens), score, finished)


def assert_same(found: Hypothesis, wanted: Hypothesis) -> None:
    assert (found.tokens, found.finished) == (wanted.tokens, wanted.finished)
    assert found.log_probability == pytest.approx(wanted.log_probability, abs=1e-9)


def per_token(answer: Hypothesis) -> float:
    return answer.log_probability / (len(answer.tokens) + answer.finished)


@pytest.fixture
def model() -> RNNsearch:
    model = small_model()
    with torch.no_grad():
        # Some sentences end early, some never.
        model.output.bias[END] += 1.5
    return model


def test_greedy_search_in_a_padded_batch_equals_search_by_hand(model: RNNsearch) -> None:
    source, lengths, _ = ragged_batch()
    found = greedy(model, model.encode(source, lengths), BEGIN, END, max_length=6)
    wanted = [by_hand(model, source[i : i + 1, :n], 6) for i, n in enumerate(LENGTHS)]
    assert {answer.finished for answer in wanted} == {True, False}
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


def test_a_beam_of_one_is_greedy(model: RNNsearch) -> None:
    source, lengths, _ = ragged_batch()
    encoded = model.encode(source, lengths)
    one = [found for (found,) in beam(model, encoded, BEGIN, END, 6, beams=1)]
    assert one == greedy(model, encoded, BEGIN, END, 6)


@pytest.mark.parametrize("beams", [2, 4, 9])
def test_answers_are_distinct_sorted_and_as_probable_as_claimed(
    model: RNNsearch, beams: int
) -> None:
    source, lengths, _ = ragged_batch()
    found = beam(model, model.encode(source, lengths), BEGIN, END, 6, beams)
    for row, answers in enumerate(found):
        assert 1 <= len(answers) <= beams
        assert len({(answer.tokens, answer.finished) for answer in answers}) == len(answers)
        ranks = [per_token(answer) for answer in answers]
        assert ranks == sorted(ranks, reverse=True)
        for answer in answers:
            tokens = [*answer.tokens, *([END] if answer.finished else [])]
            wanted = log_probability(model, source[row : row + 1, : LENGTHS[row]], tokens)
            assert answer.log_probability == pytest.approx(wanted, abs=1e-9)


def test_a_beam_in_a_padded_batch_equals_a_beam_alone(model: RNNsearch) -> None:
    source, lengths, _ = ragged_batch()
    batched = beam(model, model.encode(source, lengths), BEGIN, END, 6, beams=3)
    for row, length in enumerate(LENGTHS):
        encoded = model.encode(source[row : row + 1, :length])
        (alone,) = beam(model, encoded, BEGIN, END, 6, beams=3)
        for one, other in zip(batched[row], alone, strict=True):
            assert_same(one, other)


def test_a_beam_as_wide_as_all_answers_finds_the_best_of_all(model: RNNsearch) -> None:
    source, longest = ragged_batch()[0][:1, :4], 2
    others = [token for token in range(CONFIG.target_vocab) if token != END]
    every = [list(head) for head in product(others, repeat=longest)]
    every += [[*head, END] for n in range(longest) for head in product(others, repeat=n)]
    scores = {tuple(tokens): log_probability(model, source, tokens) for tokens in every}
    ranked = sorted(scores, key=lambda tokens: scores[tokens] / len(tokens), reverse=True)
    (found,) = beam(model, model.encode(source), BEGIN, END, longest, beams=len(every))
    shown = [(*answer.tokens, *([END] if answer.finished else [])) for answer in found]
    assert shown == ranked


def test_no_answer_is_longer_than_allowed(model: RNNsearch) -> None:
    source, lengths, _ = ragged_batch()
    found = beam(model, model.encode(source, lengths), BEGIN, END, 2, beams=3)
    assert all(len(a.tokens) + a.finished <= 2 for answers in found for a in answers)


@pytest.mark.parametrize(("beams", "max_length"), [(0, 5), (3, 0)])
def test_an_empty_search_is_refused(model: RNNsearch, beams: int, max_length: int) -> None:
    encoded = model.encode(ragged_batch()[0])
    with pytest.raises(ValueError, match=f"got {beams} and {max_length}"):
        beam(model, encoded, BEGIN, END, max_length, beams)
