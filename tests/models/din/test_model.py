"""DIN is its formula, and padding, company and order change nothing they should not."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.models.din import DIN, DINConfig
from regard.models.item_embedding import ItemEmbedding, occurring_l2
from tests.models.din.small import LENGTHS, formula, ragged_batch, small_model

VARIANTS: list[dict[str, Any]] = [
    {"variant": "official"},
    {"variant": "paper"},
    {"variant": "official", "pool": "mean", "activation": "prelu"},
    {"variant": "paper", "pool": "mean", "activation": "sigmoid"},
    {"variant": "official", "features": False},
]
each = pytest.mark.parametrize("named", VARIANTS, ids=str)


@each
def test_logits_and_weights_are_the_formula(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    logits, weights = model(history, lengths, candidate), model.look(history, lengths, candidate)
    for row, length in enumerate(LENGTHS):
        for n in range(3):
            past = history[row, :length].tolist()
            logit, looked = formula(model, past, int(candidate[row, n]))
            assert logits[row, n].item() == pytest.approx(logit, rel=1e-10)
            found = weights[row, n].detach().numpy()
            np.testing.assert_allclose(found[:length], looked, rtol=1e-10, atol=1e-14)
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
    assert len(again) == len(gradients)
    for one, other in zip(gradients, again, strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@each
def test_nothing_depends_on_what_padding_holds(named: dict[str, Any]) -> None:
    model = small_model(**named)
    one, other = (model(*ragged_batch(filling)) for filling in (0, 7))
    assert torch.equal(one, other)


@each
def test_rows_and_candidates_may_come_in_any_order(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    rows, columns = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    turned = model(history[rows], lengths[rows], candidate[rows][:, columns])
    whole = model(history, lengths, candidate)
    torch.testing.assert_close(turned, whole[rows][:, columns], rtol=1e-12, atol=1e-14)


@each
def test_without_history_the_pooled_vector_is_zero(named: dict[str, Any]) -> None:
    model = small_model(**named)
    history, lengths, candidate = ragged_batch()
    for past, some in ((history, torch.zeros(4, dtype=torch.long)), (history[:, :0], None)):
        offered = model.embedding(candidate)
        pooled = model.pooled(model.embedding(past), some, offered)
        assert torch.equal(pooled, torch.zeros_like(pooled))
        assert torch.isfinite(model(past, some, candidate)).all()


def test_a_softmax_sums_to_one_and_the_papers_weights_do_not() -> None:
    history, lengths, candidate = ragged_batch()
    real = lengths > 0
    sums = small_model(variant="official").look(history, lengths, candidate).sum(-1)[real]
    torch.testing.assert_close(sums, torch.ones_like(sums))
    sums = small_model(variant="paper").look(history, lengths, candidate).sum(-1)[real]
    assert (sums - 1).abs().min() > 1e-3


def test_the_cost_is_that_of_a_click_on_the_first_candidate_and_on_no_other() -> None:
    model = small_model()
    history, lengths, candidate = ragged_batch()
    p = torch.sigmoid(model(history, lengths, candidate)).detach()
    wanted = -(p[:, 0].log() + (1 - p[:, 1:]).log().sum(1))
    nats = model.nats(history, lengths, candidate)
    torch.testing.assert_close(nats, wanted.float())


def test_a_batch_with_training_statistics_learns_every_weight() -> None:
    for named in VARIANTS:
        model = small_model(**named).train()
        model.nats(*ragged_batch()).sum().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None and weight.grad.any(), name


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 5 items but features of 4"):
        DIN(DINConfig(items=5, values=9), torch.zeros(4, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="a feature has number 9, there are 9"):
        DIN(DINConfig(items=5, values=9), torch.full((5, 1), 9))


def test_the_penalty_is_of_the_items_that_occur_each_once_by_its_frequency() -> None:
    table = ItemEmbedding(6, 3).double()
    counts = torch.tensor([9.0, 9.0, 4.0, 0.0, 2.0, 1.0], dtype=torch.float64)
    items = torch.tensor([[2, 2, 3, 0], [4, 2, 0, 0]])
    rows = table.item.weight.detach().numpy()
    wanted = 0.5 * sum((rows[j] ** 2).sum() / n for j, n in ((2, 4), (3, 1), (4, 2)))
    penalty = occurring_l2(table, items, counts)
    assert penalty.item() == pytest.approx(wanted, rel=1e-12)
    penalty.backward()
    gradient = table.item.weight.grad
    assert gradient is not None
    assert not gradient[[0, 1, 5]].any()
    torch.testing.assert_close(gradient[2], table.item.weight.detach()[2] / 4)
