"""Pairs are framed and padded, what is padding costs nothing, and answers keep their order."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.tasks.pairs import Pairs, Seq2Seq, pair_loss, pair_nats, shown, write
from regard.tasks.task import Batch
from tests.models.rnnsearch import small as rnnsearch
from tests.models.transformer import small as transformer

CODER = Vocabulary.build("abcdefg")
MODELS = {"transformer": transformer.small_model, "rnnsearch": rnnsearch.small_model}


@pytest.fixture(params=MODELS, scope="module")
def model(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]()


def ragged(most: int, lengths: list[int], seed: int) -> Ragged:
    rng = np.random.default_rng(seed)
    return Ragged.of(rng.integers(4, most, length).tolist() for length in lengths)


def pairs(reading: list[int], writing: list[int]) -> tuple[Ragged, Ragged]:
    return ragged(30, reading, 0), ragged(7, writing, 1)


def test_a_target_stands_between_begin_and_end_and_padding_follows() -> None:
    batch = Pairs.of(Ragged.of([[5, 6], [7]]), Ragged.of([[4], [5, 6, 7]]), CODER)
    assert batch.source.tolist() == [[5, 6], [7, 0]]
    assert batch.target.tolist() == [[2, 4, 3, 0, 0], [2, 5, 6, 7, 3]]
    assert batch.lengths.tolist() == [2, 1] and batch.target_lengths.tolist() == [2, 4]
    assert batch.written().tolist() == [[True, True, False, False], [True] * 4]


def test_labels_tokens_and_cells_are_counted() -> None:
    batch = Pairs.of(Ragged.of([[5, 6], [7]]), Ragged.of([[4], [5, 6, 7]]), CODER)
    assert (batch.labels, batch.tokens, batch.cells) == (6, 9, 12)
    assert isinstance(batch, Batch)


def test_equal_lengths_need_no_mask() -> None:
    batch = Pairs.of(Ragged.of([[5, 6], [7, 8]]), Ragged.of([[4], [5]]), CODER)
    assert batch.lengths is None and batch.target_lengths is None
    assert (batch.labels, batch.tokens, batch.cells) == (4, 8, 8)
    assert batch.written().all() and batch.written().shape == (2, 2)
    moved = batch.to(torch.device("cpu"))
    assert moved.lengths is None and torch.equal(moved.target, batch.target)


def test_empty_targets_and_no_pair_at_all_are_batches_too() -> None:
    batch = Pairs.of(Ragged.of([[5], [6]]), Ragged.of([[], [4]]), CODER)
    assert batch.target.tolist() == [[2, 3, 0], [2, 4, 3]] and batch.labels == 3
    none = Pairs.of(Ragged.of([]), Ragged.of([]), CODER)
    assert none.labels == 0 and none.source.shape == (0, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_the_sum_of_the_losses_of_its_pairs(
    model: Any, smoothing: float
) -> None:
    sources, targets = pairs([3, 6, 1, 4], [2, 1, 5, 0])
    together = pair_loss(model, Pairs.of(sources, targets, CODER), smoothing)
    alone = [
        pair_loss(model, Pairs.of(sources.take(row), targets.take(row), CODER), smoothing)
        for row in np.arange(4)[:, None]
    ]
    torch.testing.assert_close(together, torch.stack(alone).sum(), rtol=1e-11, atol=1e-11)


def test_the_loss_is_the_surprise_at_every_token_and_the_end(model: Any) -> None:
    sources, targets = pairs([3, 6, 1], [2, 0, 5])
    batch = Pairs.of(sources, targets, CODER)
    wanted = np.zeros(3)
    for row in range(3):
        source = torch.from_numpy(sources.take(np.array([row])).padded(0))
        written = targets.take(np.array([row])).values.tolist()
        framed = torch.tensor([[CODER.begin, *written]])
        logits = model(source, framed, None)[0].detach().numpy()
        for scores, token in zip(logits, [*written, CODER.end], strict=True):
            wanted[row] += np.log(np.exp(scores).sum()) - scores[token]
    assert isinstance(model, Seq2Seq)
    np.testing.assert_allclose(pair_loss(model, batch).item(), wanted.sum(), rtol=1e-10)
    np.testing.assert_allclose(pair_nats(model, batch).numpy(), wanted, rtol=1e-5)


def test_padding_has_no_gradient(model: Any) -> None:
    sources, targets = pairs([3, 6], [2, 5])
    batch = Pairs.of(sources, targets, CODER)
    spoiled = batch.source.clone()
    spoiled[0, 3:] = 17
    one = pair_loss(model, batch)
    other = pair_loss(model, Pairs(spoiled, batch.lengths, batch.target, batch.target_lengths))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("beams", [1, 3])
def test_every_text_gets_its_own_answers_whatever_stands_beside_it(model: Any, beams: int) -> None:
    sources = ragged(30, [5, 1, 6, 2, 2, 4], 0)
    together = write(model, sources, CODER, 6, beams, batch_size=4)
    for row, found in enumerate(together):
        (alone,) = write(model, sources.take(np.array([row])), CODER, 6, beams)
        assert [h.tokens for h in found] == [h.tokens for h in alone]
        scores = [h.log_probability for h in found]
        np.testing.assert_allclose(scores, [h.log_probability for h in alone], rtol=1e-9)
        assert scores == sorted(scores, reverse=True) and len(found) <= beams


def test_no_answer_is_longer_than_its_text_and_so_much_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("regard.tasks.pairs.LONGER", 50)
    model = Endless()
    found = write(model, Ragged.of([[5] * 9, [5], [5, 5]]), CODER)
    assert [len(answers[0].tokens) for answers in found] == [59, 51, 52]
    assert not any(answers[0].finished for answers in found)
    limited = write(model, Ragged.of([[5] * 9, [5]]), CODER, 7)
    assert [len(answers[0].tokens) for answers in limited] == [7, 7]


def test_a_length_penalty_of_a_beam_search_changes_the_order() -> None:
    model = transformer.small_model(seed=3)
    sources = ragged(30, [4] * 12, 2)
    long, short = (
        sum(len(a[0].tokens) for a in write(model, sources, CODER, 12, 4, penalty))
        for penalty in (3.0, 0.0)
    )
    assert long > short


def test_nothing_to_read_is_no_answer(model: Any) -> None:
    assert write(model, Ragged.of([]), CODER) == []


class Endless(torch.nn.Module):
    """Writes an `a` for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.output = torch.nn.Linear(1, len(CODER))

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Any:
        return Sentences(len(source))

    def start(self, encoded: Any, beams: int) -> int:
        return 0

    def step(self, encoded: Any, state: int, token: Tensor) -> tuple[Tensor, int]:
        logits = torch.zeros(*token.shape, len(CODER))
        logits[..., 4] = 1.0
        return logits, state

    def reorder(self, state: int, parent: Tensor) -> int:
        return state

    def select(self, encoded: Any, state: int, sentences: Tensor) -> tuple[Any, int]:
        return Sentences(len(sentences)), state

    def features(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        return torch.zeros(*target.shape, 1)

    def alignment(self, encoded: Any, target: Tensor) -> Tensor:
        return torch.zeros(encoded.batch, target.shape[1], 1)


class Sentences:
    """How many there are."""

    device = torch.device("cpu")

    def __init__(self, batch: int) -> None:
        self.batch = batch


def test_an_answer_without_a_token_can_be_shown() -> None:
    model = transformer.small_model()
    (found,) = write(model, Ragged.of([[5, 6]]), CODER, 3)
    empty = [type(found[0])((), -1.0, True)]

    class Coder:
        begin = CODER.begin

        def decode(self, tokens: Any) -> str:
            return "".join(CODER.decode(tokens))

        def tokens(self, tokens: Any) -> list[str]:
            return CODER.decode(tokens)

        def unknown(self, text: str) -> list[str]:
            return []

    answer = shown(model, "bc", [5, 6], empty, Coder(), Coder())
    assert answer.answers == (("", -1.0),) and answer.weights.shape == (0, 2)
