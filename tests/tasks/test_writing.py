"""Every text gets its own answers, no longer than it may be, with what was attended to."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.sequences import Sequences
from regard.tasks.writing import weights_of, write_answers
from tests.generation.writers import WRITERS

TOKENS = Vocabulary.build("abc")


@pytest.fixture(params=["transformer", "rnnsearch", "luong"])
def model(request: pytest.FixtureRequest) -> Any:
    return WRITERS[request.param]()


def ragged(lengths: list[int], seed: int = 0) -> Ragged:
    rng = np.random.default_rng(seed)
    return Ragged.of(rng.integers(4, 30, length).tolist() for length in lengths)


def most(sources: Ragged, length: int) -> np.ndarray:
    return np.full(len(sources), length)


@pytest.mark.parametrize("num_answers", [1, 3])
def test_every_text_gets_its_own_answers_whatever_stands_beside_it(
    model: Any, num_answers: int
) -> None:
    sources = ragged([5, 1, 6, 2, 2, 4])
    named: dict[str, Any] = {"num_answers": num_answers, "length_penalty": 0.6}
    together = write_answers(model, sources, TOKENS, most(sources, 6), **named, batch_size=4)
    for row, found in enumerate(together):
        one = sources.take(np.array([row]))
        (alone,) = write_answers(model, one, TOKENS, most(one, 6), **named)
        assert [h.tokens for h in found] == [h.tokens for h in alone]
        scores = [h.log_probability for h in found]
        np.testing.assert_allclose(scores, [h.log_probability for h in alone], rtol=1e-9)
        assert 1 <= len(found) <= num_answers


class Endless(nn.Module):
    """Writes an `a` for ever."""

    def encode(self, source: Sequences) -> Tensor:
        return source.ids

    def start(self, encoded: Tensor, beams: int) -> Tensor:
        return torch.zeros(len(encoded) * beams)

    def step(self, encoded: Tensor, state: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.zeros(len(token), len(TOKENS))
        logits[:, 4] = 1.0
        return logits, state

    def forward(self, source: Sequences, target: Tensor) -> Tensor:
        return torch.zeros(*target.shape, len(TOKENS))


def test_no_answer_is_longer_than_its_own_limit() -> None:
    sources = Ragged.of([[5] * 9, [5], [5, 5]])
    for num_answers in (1, 2):
        found = write_answers(
            Endless(), sources, TOKENS, sources.lengths + 50, num_answers=num_answers
        )
        assert [len(answers[0].tokens) for answers in found] == [59, 51, 52]
        assert not any(answers[0].finished for answers in found)


def test_a_length_penalty_of_a_beam_search_changes_the_order() -> None:
    model, sources = WRITERS["transformer"](), ragged([4] * 12, 2)
    long, short = (
        sum(
            len(answers[0].tokens)
            for answers in write_answers(
                model, sources, TOKENS, most(sources, 12), num_answers=4, length_penalty=penalty
            )
        )
        for penalty in (3.0, 0.0)
    )
    assert long > short


def test_nothing_to_read_is_no_answer(model: Any) -> None:
    assert write_answers(model, Ragged.of([]), TOKENS, np.zeros(0, dtype=np.int64)) == []


def test_weights_are_those_of_the_tokens_as_they_were_written(model: Any) -> None:
    found = weights_of(model, [4, 7, 9], [5, 6], TOKENS.begin)
    read = Sequences(torch.tensor([[4, 7, 9]]))
    wanted = model.attention_weights(read, torch.tensor([[TOKENS.begin, 5]]))[0]
    assert found is not None and found.shape == (2, 3) and found.dtype == torch.float32
    torch.testing.assert_close(found, wanted.float())


def test_where_nothing_is_written_or_nothing_attends_there_are_no_weights(model: Any) -> None:
    empty = weights_of(model, [4, 7, 9], [], TOKENS.begin)
    assert empty is not None and empty.shape == (0, 3)
    assert weights_of(WRITERS["rnnsearch, blind"](), [4, 7], [5], TOKENS.begin) is None
    assert weights_of(Endless(), [4, 7], [5], TOKENS.begin) is None
