"""The recurrent classifier is its formula, and padding does not exist for it."""

import pytest
import torch

from regard.layers import Attend
from regard.models.lstm import LSTMClassifier
from regard.normalizers import sparsemax
from regard.scores import Additive, Cosine
from regard.sequences import Sequences
from tests.models.lstm.by_the_book import answer
from tests.models.lstm.small import LENGTHS, POOLINGS, config, ragged_batch, small_model

every_pooling = pytest.mark.parametrize("pooling", POOLINGS)
estimators = pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])


def hard(estimator: str) -> str:
    return f"hard(attention_dim=6, estimator={estimator})"


@every_pooling
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (2, True)])
def test_logits_and_weights_are_those_of_the_equations(
    pooling: str, cell: str, layers: int, bidirectional: bool
) -> None:
    model = small_model(pooling=pooling, cell=cell, layers=layers, bidirectional=bidirectional)
    batch = ragged_batch()
    logits, weights = model(batch), model.attention_weights(batch)
    for row, length in enumerate(LENGTHS):
        wanted, wanted_weights = map(torch.tensor, answer(model, batch.ids[row, :length].tolist()))
        torch.testing.assert_close(logits[row], wanted, rtol=0, atol=1e-10)
        torch.testing.assert_close(weights[row, :length], wanted_weights, rtol=0, atol=1e-10)
        assert not weights[row, length:].any()


@every_pooling
def test_every_row_of_weights_sums_to_one(pooling: str) -> None:
    sums = small_model(pooling=pooling).attention_weights(ragged_batch()).sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@every_pooling
def test_an_empty_text_is_answered_from_nothing(pooling: str) -> None:
    model, batch = small_model(pooling=pooling), ragged_batch()
    batch = Sequences(batch.ids, batch.counts.index_fill(0, torch.tensor([2]), 0))
    logits = model(batch)
    assert torch.equal(logits[2], model.output.bias)
    assert not model.attention_weights(batch)[2].any()
    logits.square().sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in model.parameters())
    assert torch.equal(model(Sequences(batch.ids[:, :0]))[0], model.output.bias)
    assert model(Sequences(batch.ids[:0])).shape == (0, 3)


@pytest.mark.parametrize(
    ("attend", "pooling"),
    [
        (Attend(Cosine(), normalizer=sparsemax), "score=cosine, normalizer=sparsemax"),
        (Attend(Additive(6, 6, 3)), "score='additive(hidden_dim=3)'"),
    ],
)
def test_parts_can_be_given_or_named(attend: Attend, pooling: str) -> None:
    given, batch = small_model(attend), ragged_batch()
    weights = given.attention_weights(batch)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[:, 0]))
    assert not torch.allclose(weights, small_model().attention_weights(batch))
    by_name = small_model(pooling=f"attention({pooling}, attention_dim=6)")
    assert by_name.config == given.config
    by_name.load_state_dict(given.state_dict())
    assert torch.equal(by_name(batch), given(batch))


def test_parts_are_refused_where_nothing_attends() -> None:
    with pytest.raises(ValueError, match="pooling is mean, so nothing attends: leave attend out"):
        LSTMClassifier(config(pooling="mean"), Attend())


@estimators
def test_a_hard_choice_is_drawn_in_training_and_the_best_one_otherwise(estimator: str) -> None:
    model, batch = small_model(pooling=hard(estimator)), ragged_batch()
    assert model.forward_sampled(batch)[1] is None
    assert torch.equal(model(batch), model(batch))
    best = model.attention_weights(batch)
    assert ((best == 0) | (best == 1)).all()
    model.train()
    torch.manual_seed(0)
    logits, aux = model.forward_sampled(batch)
    assert (aux is not None) == (model.reinforce is not None) == (estimator == "reinforce")
    torch.manual_seed(0)
    assert torch.equal(model(batch), logits)
    assert any(not torch.equal(model(batch), logits) for _ in range(10))


def test_word_dropout_reads_words_as_unknown_while_training() -> None:
    model = small_model(pooling="mean", word_dropout=0.9999, unknown=2)
    batch = Sequences(ragged_batch().ids)
    read = model(batch)
    assert not torch.allclose(model.train()(batch), read)
    unknown = Sequences(torch.full_like(batch.ids, 2))
    torch.testing.assert_close(model(batch), model.eval()(unknown))


def test_a_new_memory_cell_remembers() -> None:
    model = LSTMClassifier(config())
    bias = model.encoder.bias_ih_l0 + model.encoder.bias_hh_l0
    assert (bias.chunk(4)[1] == 1).all() and not bias.chunk(4)[0].any()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pooling": "maximum"}, "there is no pooling 'maximum': last, mean, attention, hard"),
        ({"pooling": "mean(attention_dim=3)"}, "pooling: there is no attention_dim in mean"),
        ({"word_dropout": 1.0}, "word_dropout must be at least 0 and below 1"),
    ],
)
def test_impossible_sizes_are_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        config(**changes)
