"""The recurrent classifier is its formula, and padding does not exist for it."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from regard.layers import Attend
from regard.models.lstm import LSTM, LSTMConfig
from regard.normalizers import sparsemax
from regard.scores import Additive, Cosine
from tests.models.lstm.by_the_book import answer
from tests.models.lstm.small import LENGTHS, SIZES, SUMMARIES, ragged_batch, small_model

every_summary = pytest.mark.parametrize("summary", SUMMARIES)
estimators = pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])


@every_summary
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (1, 2), (2, 2)])
def test_logits_and_weights_are_those_of_the_equations(
    summary: str, cell: str, layers: int, directions: int
) -> None:
    model = small_model(summary=summary, cell=cell, layers=layers, directions=directions)
    source, lengths = ragged_batch()
    logits, weights = model(source, lengths), model.look(source, lengths)
    for row, length in enumerate(LENGTHS):
        wanted, wanted_weights = map(torch.tensor, answer(model, source[row, :length].tolist()))
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[row, :length], wanted_weights, rtol=0, atol=1e-10)
        assert not weights[row, length:].any()


@every_summary
def test_a_padded_batch_equals_its_texts_one_by_one(summary: str) -> None:
    model, (source, lengths) = small_model(summary=summary, layers=2), ragged_batch()
    batched = model(source, lengths)
    for row, length in enumerate(LENGTHS):
        alone = model(source[row : row + 1, :length])
        torch.testing.assert_close(batched[row], alone[0], rtol=0, atol=1e-10)


@every_summary
def test_gradients_of_a_padded_batch_are_the_sum_over_its_texts(summary: str) -> None:
    model, (source, lengths) = small_model(summary=summary), ragged_batch()
    weights = [w for n, w in model.named_parameters() if summary != "hard" or "pool" not in n]
    batched = torch.autograd.grad(model(source, lengths).square().sum(), weights)
    alone = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS):
        logits = model(source[row : row + 1, :length])
        for total, part in zip(
            alone, torch.autograd.grad(logits.square().sum(), weights), strict=True
        ):
            total += part
    for found, wanted in zip(batched, alone, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@every_summary
def test_what_stands_in_the_padding_is_never_read(summary: str) -> None:
    model = small_model(summary=summary)
    (zeros, lengths), (others, _) = ragged_batch(0), ragged_batch(17)
    assert torch.equal(model(zeros, lengths), model(others, lengths))
    wider = torch.nn.functional.pad(zeros, (0, 3), value=5)
    torch.testing.assert_close(model(wider, lengths), model(zeros, lengths), rtol=0, atol=1e-12)


@every_summary
def test_lengths_that_pad_nothing_change_nothing(summary: str) -> None:
    model, (source, _) = small_model(summary=summary), ragged_batch()
    full = torch.full((len(source),), source.shape[1])
    torch.testing.assert_close(model(source, full), model(source))
    torch.testing.assert_close(model.look(source, full), model.look(source))


@every_summary
def test_the_order_of_a_batch_is_the_order_of_its_answers(summary: str) -> None:
    model, (source, lengths) = small_model(summary=summary), ragged_batch()
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = model(source[order], lengths[order])
    torch.testing.assert_close(mixed, model(source, lengths)[order])


@every_summary
def test_every_row_of_weights_sums_to_one(summary: str) -> None:
    model, (source, lengths) = small_model(summary=summary), ragged_batch()
    sums = model.look(source, lengths).sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@every_summary
def test_an_empty_text_is_answered_from_nothing(summary: str) -> None:
    model, (source, lengths) = small_model(summary=summary), ragged_batch()
    lengths = lengths.index_fill(0, torch.tensor([2]), 0)
    logits = model(source, lengths)
    assert torch.equal(logits[2], model.output.bias)
    assert not model.look(source, lengths)[2].any()
    logits.square().sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in model.parameters())
    assert torch.equal(model(source[:, :0])[0], model.output.bias)
    assert model(source[:0]).shape == (0, 3)


@every_summary
@estimators
def test_every_weight_learns(summary: str, estimator: str) -> None:
    model = small_model(summary=summary, estimator=estimator).train()
    source, lengths = ragged_batch()
    logits, choice = model.explore(source, lengths)
    nats = cross_entropy(logits, torch.tensor([0, 1, 2, 0, 1]), reduction="none")
    if choice is not None:
        nats = nats + model.reinforce(nats, choice)
    nats.sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize(
    "attend", [Attend(Cosine(), normalizer=sparsemax), Attend(Additive(6, 6, 3))]
)
def test_any_score_and_normalizer_can_be_passed_in(attend: Attend) -> None:
    model, usual = small_model(attend), small_model()
    source, lengths = ragged_batch()
    weights = model.look(source, lengths)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[:, 0]))
    assert not torch.allclose(weights, usual.look(source, lengths))


@estimators
def test_a_hard_choice_is_drawn_in_training_and_the_best_one_otherwise(estimator: str) -> None:
    model, (source, lengths) = small_model(summary="hard", estimator=estimator), ragged_batch()
    assert model.explore(source, lengths)[1] is None
    assert torch.equal(model(source, lengths), model(source, lengths))
    best = model.look(source, lengths)
    assert ((best == 0) | (best == 1)).all()
    model.train()
    torch.manual_seed(0)
    logits, choice = model.explore(source, lengths)
    assert (choice is not None) == (model.reinforce is not None) == (estimator == "reinforce")
    torch.manual_seed(0)
    assert torch.equal(model(source, lengths), logits)
    assert any(not torch.equal(model(source, lengths), logits) for _ in range(10))


def test_word_dropout_reads_words_as_unknown_while_training() -> None:
    model, (source, lengths) = small_model(summary="mean", word_dropout=0.9999), ragged_batch()
    read = model(source, lengths)
    assert not torch.allclose(model.train()(source, lengths), read)
    torch.testing.assert_close(model(source), model.eval()(torch.ones_like(source)))


def test_a_new_memory_cell_remembers() -> None:
    model = LSTM(LSTMConfig(**SIZES))
    bias = model.encoder.bias_ih_l0 + model.encoder.bias_hh_l0
    assert (bias.chunk(4)[1] == 1).all() and not bias.chunk(4)[0].any()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"directions": 3}, "directions must be between 1 and 2, got 3"),
        ({"word_dropout": 1.0}, "word_dropout must be at least 0 and less than 1"),
    ],
)
def test_impossible_sizes_are_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        LSTMConfig(**SIZES | changes)
