"""DIN is its formula, and padding, company and order change nothing they should not."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.din import DIN, ActivationUnit, DINConfig
from regard.normalizers import sparsemax
from regard.scores import MLP, Dot
from regard.sequences import Sequences
from tests.models.din.small import LENGTHS, PAPER, config, formula, ragged_batch, small_model

PLAIN = {"interest_layer": False, "item_bias": False}
VARIANTS: list[dict[str, Any]] = [
    {},
    PAPER,
    {"pooling": "mean", "activation": "prelu"},
    {"pooling": "mean", "activation": "sigmoid"} | PLAIN,
    {"features": False, "item_bias": False},
    {"interest_layer": False},
]
each = pytest.mark.parametrize("named", VARIANTS, ids=str)


@each
def test_logits_and_weights_are_the_formula(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, candidate = ragged_batch()
    logits, weights = model(history, candidate), model.attention_weights(history, candidate)
    for row, length in enumerate(LENGTHS):
        for n in range(3):
            past = history.ids[row, :length].tolist()
            logit, looked = formula(model, past, int(candidate[row, n]))
            assert logits[row, n].item() == pytest.approx(logit, rel=1e-10)
            found = weights[row, n].numpy()
            np.testing.assert_allclose(found[:length], looked, rtol=1e-10, atol=1e-14)
            assert (found[length:] == 0.0).all()


@each
def test_candidates_do_not_know_of_each_other(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, candidate = ragged_batch()
    columns = torch.tensor([1, 2, 0])
    turned, whole = model(history, candidate[:, columns]), model(history, candidate)
    torch.testing.assert_close(turned, whole[:, columns], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(model(history, candidate[:, 1:2]), whole[:, 1:2])


@each
def test_without_history_the_pooled_vector_is_zero(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, candidate = ragged_batch()
    lengths = torch.zeros(4, dtype=torch.long)
    for past in (Sequences(history.ids, lengths), Sequences(history.ids[:, :0])):
        pooled = model.pooled(past, model.embedding(candidate))
        assert torch.equal(pooled, torch.zeros_like(pooled))
        assert torch.isfinite(model(past, candidate)).all()


def test_a_softmax_sums_to_one_and_the_papers_weights_do_not() -> None:
    batch, real = ragged_batch(), torch.tensor(LENGTHS) > 0
    sums = small_model().attention_weights(*batch).sum(-1)[real]
    torch.testing.assert_close(sums, torch.ones_like(sums))
    sums = small_model(**PAPER).attention_weights(*batch).sum(-1)[real]
    assert (sums - 1).abs().min() > 1e-3


def test_the_papers_network_has_the_papers_attention_and_nothing_more() -> None:
    model = DIN(DINConfig.paper(items=9))
    score = model.attend.score
    assert isinstance(score, MLP) and (score.hidden_dims, score.variant) == ((36,), "paper")
    assert model.bias is None and not list(model.interest.parameters())


def test_the_attention_is_made_of_what_is_named_or_of_what_is_given() -> None:
    batch, usual = ragged_batch(), small_model()
    width = usual.embedding.width
    given = small_model(Attend(Dot(), normalizer=sparsemax))
    assert given.config.pooling == ActivationUnit(score="dot", normalizer="sparsemax")
    named = small_model(pooling="attention(score=dot, normalizer=sparsemax)")
    assert torch.equal(named(*batch), given(*batch))
    same = small_model(Attend(MLP(width, width, (6, 3))))
    same.load_state_dict(usual.state_dict())
    assert same.config == usual.config and torch.equal(same(*batch), usual(*batch))
    with pytest.raises(ValueError, match="pooling is mean, so nothing attends"):
        small_model(Attend(Dot()), pooling="mean")


@pytest.mark.parametrize(
    ("features", "why"),
    [
        (torch.zeros(4, 1), "there are 5 items of 1 features each, but features of 4 with 1 each"),
        (torch.zeros(5, 2), "there are 5 items of 1 features each, but features of 5 with 2 each"),
        (torch.full((5, 1), 9), "a feature has number 9, there are 9 from 0 on"),
        (torch.full((5, 1), -1), "a feature has number -1, there are 9 from 0 on"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_features_of_other_items_are_refused(features: torch.Tensor, why: str) -> None:
    model = DIN(DINConfig(items=5, values=9, feature_columns=1))
    with pytest.raises(ValueError, match=why):
        model.set_item_features(features.long())
    assert not model.embedding.features.any()


def test_items_without_features_have_none_to_set() -> None:
    model = DIN(DINConfig(items=5))
    model.set_item_features(torch.zeros(5, 0, dtype=torch.long))
    assert "embedding.features" not in model.state_dict() and model.embedding.width == 16


def test_a_unit_is_refused_what_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="there is no estimator in attention"):
        config(pooling="attention(estimator=gumbel)")
