import math

import pytest
import torch

from regard.normalizers import Softmax, divide_by_sum, sigmoid, softmax, softmax_one
from tests.tolerance import UNIT_NORMAL_CAP, assert_close_to_golden


@pytest.mark.parametrize("size", [1.0, 5.0])
def test_softmax_is_as_close_to_float64_as_torch(size: float) -> None:
    scores = size * torch.randn(4, 8, 33)
    where = torch.rand(4, 8, 33) < 0.8
    where[:, 0] = False
    filled = scores.masked_fill(~where, -torch.inf)
    golden = torch.softmax(filled.double(), -1).masked_fill(~where, 0.0)
    naive = torch.softmax(filled, -1).masked_fill(~where, 0.0)
    assert_close_to_golden(
        softmax(scores, where), golden, naive, what="weights", cap=UNIT_NORMAL_CAP
    )


def test_a_temperature_divides_the_scores() -> None:
    scores = torch.randn(3, 9, dtype=torch.float64)
    expected = torch.softmax(scores / 0.3, -1)
    torch.testing.assert_close(Softmax(0.3)(scores), expected, rtol=0, atol=1e-14)


def test_equal_temperatures_are_equal_values() -> None:
    assert Softmax(2.0) == Softmax(2.0) != Softmax(3.0)
    assert hash(Softmax(2.0)) == hash(Softmax(2.0))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_without_a_meaning_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match=f"0 < temperature < inf, got {temperature:g}"):
        Softmax(temperature)


def test_softmax_one_is_softmax_with_a_key_of_score_zero() -> None:
    scores = torch.randn(3, 9, dtype=torch.float64)
    exponentials = scores.exp()
    expected = exponentials / (1.0 + exponentials.sum(-1, keepdim=True))
    torch.testing.assert_close(softmax_one(scores), expected, rtol=0, atol=1e-15)


def test_softmax_one_attends_to_nothing_when_all_scores_are_low_and_never_overflows() -> None:
    assert softmax_one(torch.full((1, 4), -2000.0)).sum() == 0
    torch.testing.assert_close(softmax_one(torch.full((1, 4), 2000.0)), torch.full((1, 4), 0.25))


def test_sigmoid_weighs_each_key_alone() -> None:
    scores = torch.randn(3, 9, dtype=torch.float64)
    weights = sigmoid(scores)
    torch.testing.assert_close(weights, 1.0 / (1.0 + (-scores).exp()), rtol=0, atol=1e-15)
    changed = scores.clone()
    changed[:, 4] += 1.0
    others = torch.arange(9) != 4
    assert torch.equal(sigmoid(changed)[:, others], weights[:, others])


def test_sum_divides_by_the_permitted_sum() -> None:
    scores = torch.rand(3, 9, dtype=torch.float64)
    where = torch.rand(3, 9) < 0.5
    kept = scores * where
    expected = kept / kept.sum(-1, keepdim=True)
    torch.testing.assert_close(divide_by_sum(scores, where), expected, rtol=0, atol=1e-15)


def test_a_sum_of_zero_gives_zeros_in_weights_and_gradients() -> None:
    scores = torch.tensor([[0.0, 0.0], [1.0, -1.0], [1.0, 3.0]], requires_grad=True)
    weights = divide_by_sum(scores)
    weights.backward(torch.tensor([1.0, 2.0]).expand(3, 2))
    assert (weights[:2] == 0).all() and (scores.grad[:2] == 0).all()
    assert (scores.grad[2] != 0).all()
