"""The candidate generator is its formula, and finds the items of the greatest products."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.layers import Attend
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig
from regard.normalizers import sparsemax
from regard.scores import ScaledDot
from tests.models.youtube_dnn.small import (
    ITEMS,
    LENGTHS,
    formula,
    ragged_batch,
    small_model,
)

VARIANTS: list[dict[str, Any]] = [
    {"pooling": "mean"},
    {"pooling": "attention"},
    {"pooling": "mean", "layers": 1, "features": False},
]
each = pytest.mark.parametrize("named", VARIANTS, ids=str)


@each
def test_products_and_weights_are_the_formula(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, candidate = ragged_batch()
    scores, weights = model(history, candidate), model.attention_weights(history, candidate)
    for row, length in enumerate(LENGTHS):
        products, looked = formula(model, history.ids[row, :length].tolist())
        wanted = products[candidate[row].numpy()]
        np.testing.assert_allclose(scores[row].detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
        for found in weights[row].numpy():
            np.testing.assert_allclose(found[:length], looked, rtol=1e-10)
            assert (found[length:] == 0.0).all()


@each
def test_what_is_retrieved_are_the_nearest_items(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, _ = ragged_batch()
    found = model.retrieve(history, 4)
    for row, length in enumerate(LENGTHS):
        products, _ = formula(model, history.ids[row, :length].tolist())
        wanted = 2 + np.argsort(-products[2:], kind="stable")[:4]
        assert found.items[row].tolist() == wanted.tolist()
        np.testing.assert_allclose(found.scores[row].detach().numpy(), products[wanted])


def test_what_stands_before_the_first_item_is_not_retrieved() -> None:
    history, _ = ragged_batch()
    model = small_model(first_item=9)
    assert set(model.retrieve(history, 3).items.flatten().tolist()) == {9, 10, 11}
    with pytest.raises(ValueError, match="between 1 and the number of items, 3, got 4"):
        model.retrieve(history, 4)


def test_the_attention_is_made_of_what_is_named_or_of_what_is_given() -> None:
    batch = ragged_batch()
    named = small_model(pooling="attention(normalizer=sparsemax)")
    given = small_model(Attend(ScaledDot(), normalizer=sparsemax), pooling="attention")
    assert given.config == named.config and torch.equal(given(*batch), named(*batch))
    weights = given.attention_weights(*batch)
    assert not torch.equal(weights, small_model(pooling="attention").attention_weights(*batch))
    with pytest.raises(ValueError, match="pooling is mean, so nothing attends"):
        small_model(Attend(ScaledDot()))


def test_the_tower_narrows_by_half_to_the_embedding() -> None:
    model = YouTubeDNN(YouTubeDNNConfig(items=ITEMS, embed_dim=8, layers=3))
    assert [layer.out_features for layer in model.tower] == [32, 16, 8]
