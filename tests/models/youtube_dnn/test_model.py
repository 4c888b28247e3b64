"""The candidate generator is its formula, and finds the items of the greatest products."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard.errors import CheckpointMismatch
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig, load, save
from tests.models.youtube_dnn.small import ITEMS, LENGTHS, formula, ragged_batch, small_model

VARIANTS: list[dict[str, Any]] = [
    {"pool": "mean"},
    {"pool": "attention"},
    {"pool": "mean", "layers": 1, "features": False},
]
each = pytest.mark.parametrize("named", VARIANTS, ids=str)


@each
def test_products_and_weights_are_the_formula(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    scores, weights = model(history, lengths, candidate), model.look(history, lengths, candidate)
    for row, length in enumerate(LENGTHS):
        products, looked = formula(model, history[row, :length].tolist())
        wanted = products[candidate[row].numpy()]
        np.testing.assert_allclose(scores[row].detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
        for found in weights[row].detach().numpy():
            np.testing.assert_allclose(found[:length], looked, rtol=1e-10)
            assert (found[length:] == 0.0).all()


@each
def test_a_padded_batch_is_each_row_alone_gradients_included(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    together = model(history, lengths, candidate)
    together.square().sum().backward()
    gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad(set_to_none=False)
    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        alone = model(history[one, :length], None, candidate[one])
        torch.testing.assert_close(alone, together[one], rtol=1e-10, atol=1e-12)
        alone.square().sum().backward()
    again = [weight.grad for weight in model.parameters() if weight.grad is not None]
    for one, other in zip(gradients, again, strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@each
def test_nothing_depends_on_what_padding_holds(named: dict[str, Any]) -> None:
    model = small_model(**named)
    one, other = (model(*ragged_batch(filling)) for filling in (0, 7))
    assert torch.equal(one, other)


@each
def test_rows_may_come_in_any_order(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    rows = torch.tensor([2, 0, 3, 1])
    turned = model(history[rows], lengths[rows], candidate[rows])
    whole = model(history, lengths, candidate)
    torch.testing.assert_close(turned, whole[rows], rtol=1e-12, atol=1e-14)


@each
def test_what_is_retrieved_are_the_nearest_items(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, _ = ragged_batch()
    found = model.retrieve(history, lengths, 4)
    for row, length in enumerate(LENGTHS):
        products, _ = formula(model, history[row, :length].tolist())
        wanted = 2 + np.argsort(-products[2:], kind="stable")[:4]
        assert found.items[row].tolist() == wanted.tolist()
        np.testing.assert_allclose(found.scores[row].detach().numpy(), products[wanted])


def test_more_items_than_there_are_cannot_be_retrieved() -> None:
    history, lengths, _ = ragged_batch()
    with pytest.raises(ValueError, match="between 1 and the number of items, 10, got 11"):
        small_model().retrieve(history, lengths, ITEMS - 1)


def test_at_rest_the_cost_is_that_of_the_full_softmax() -> None:
    model = small_model()
    history, lengths, candidate = ragged_batch()
    nats = model.nats(history, lengths, candidate).detach().numpy()
    for row, length in enumerate(LENGTHS):
        products, _ = formula(model, history[row, :length].tolist())
        wanted = np.log(np.exp(products[2:]).sum()) - products[candidate[row, 0]]
        assert nats[row] == pytest.approx(wanted, rel=1e-5)


def test_every_weight_learns_from_the_sampled_cost() -> None:
    for named in VARIANTS:
        model = small_model(**named).train()
        model.nats(*ragged_batch()).sum().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None and weight.grad.any(), name


@each
def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(
    tmp_path: Path, named: dict[str, Any]
) -> None:
    model = small_model(**named).float()
    save(model, tmp_path)
    again = load(tmp_path, model.embedding.features)
    assert again.config == model.config and not again.training
    assert torch.equal(again(*ragged_batch()), model(*ragged_batch()))


def test_weights_of_another_size_and_foreign_configurations_are_refused(tmp_path: Path) -> None:
    save(small_model(), tmp_path)
    config = YouTubeDNNConfig(items=ITEMS, values=5, embed_dim=4, layers=2, samples=7)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(CheckpointMismatch):
        load(tmp_path, small_model().embedding.features)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match='config.json: .*"youtube_dnn"'):
        load(tmp_path)


def test_the_tower_narrows_by_half_to_the_embedding() -> None:
    model = YouTubeDNN(YouTubeDNNConfig(items=9, embed_dim=8))
    assert [layer.out_features for layer in model.tower] == [32, 16, 8]
