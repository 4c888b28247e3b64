import math

import pytest
import torch

from regard.normalizers import Entmax, softmax, sparsemax


@pytest.mark.parametrize("alpha", [0.99, -1.0, math.nan, math.inf])
def test_an_alpha_without_a_meaning_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="Entmax needs"):
        Entmax(alpha)


def test_alpha_near_one_approaches_softmax() -> None:
    scores = torch.randn(5, 40, dtype=torch.float64)
    for alpha, tolerance in ((1.01, 1e-2), (1.0001, 1e-4), (1.000001, 1e-6)):
        error = (Entmax(alpha)(scores) - softmax(scores)).abs().max()
        assert 0 < error < 2 * tolerance
    single = Entmax(1.0001)(scores.float())
    torch.testing.assert_close(single.double(), Entmax(1.0001)(scores), rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_closed_forms_continue_their_neighbors(alpha: float) -> None:
    scores = torch.randn(5, 40, dtype=torch.float64)
    weights = Entmax(alpha)(scores)
    for near in (alpha - 1e-7, alpha + 1e-7):
        torch.testing.assert_close(Entmax(near)(scores), weights, rtol=0, atol=1e-6)


def test_larger_alpha_is_sparser() -> None:
    scores = torch.randn(5, 40, dtype=torch.float64)
    sizes = [(Entmax(alpha)(scores) > 0).sum().item() for alpha in (1.0, 1.2, 1.5, 2.0, 3.0)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 5


def test_ties_share_equally() -> None:
    scores = torch.tensor([[1.0, 1.0, 1.0, -9.0]])
    third = torch.tensor([[1.0, 1.0, 1.0, 0.0]]) / 3
    for alpha in (1.3, 1.5, 2.0, 4.0):
        torch.testing.assert_close(Entmax(alpha)(scores), third)
    torch.testing.assert_close(sparsemax(scores), third)


@pytest.mark.parametrize("alpha", [1.3, 1.5, 2.0])
@pytest.mark.parametrize("size", [0.01, 1.0, 5.0])
def test_float32_is_within_rounding_of_float64(alpha: float, size: float) -> None:
    scores = size * torch.randn(8, 2048)
    error = Entmax(alpha)(scores).double() - Entmax(alpha)(scores.double())
    assert error.abs().max() < 2e-6
