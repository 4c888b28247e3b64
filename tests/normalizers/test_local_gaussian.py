import math

import pytest
import torch

from regard.normalizers import LocalGaussian, softmax


def by_hand(scores, center, sigma, window=None) -> torch.Tensor:
    """One number at a time, as the paper writes it."""
    weights = torch.zeros_like(scores)
    for b, h, q in torch.cartesian_prod(*(torch.arange(n) for n in scores.shape[:3])).tolist():
        p = center[b, h, q].item()
        seen = [s for s in range(scores.shape[3]) if window is None or abs(s - p) <= window]
        total = math.fsum(math.exp(scores[b, h, q, s]) for s in seen)
        for s in seen:
            align = math.exp(scores[b, h, q, s]) / total
            weights[b, h, q, s] = align * math.exp(-((s - p) ** 2) / (2 * sigma**2))
    return weights


@pytest.mark.parametrize("window", [None, 2.0, 0.6])
def test_weights_are_the_papers(window: float | None) -> None:
    scores = torch.randn(2, 3, 4, 9, dtype=torch.float64)
    center = 8 * torch.rand(2, 3, 4, dtype=torch.float64)
    actual = LocalGaussian(center, sigma=1.7, window=window)(scores)
    torch.testing.assert_close(actual, by_hand(scores, center, 1.7, window), rtol=0, atol=1e-14)


def test_a_window_includes_both_edges() -> None:
    weights = LocalGaussian(torch.full((1, 1, 1), 5.0), 9.0, window=2.0)(torch.zeros(1, 1, 1, 11))
    assert weights[0, 0, 0].nonzero().squeeze(1).tolist() == [3, 4, 5, 6, 7]


def test_a_window_beyond_the_keys_gives_zeros() -> None:
    weights = LocalGaussian(torch.full((1, 1, 1), 50.0), 9.0, window=2.0)(torch.zeros(1, 1, 1, 11))
    assert (weights == 0).all()


def test_a_wide_gaussian_is_softmax() -> None:
    scores = torch.randn(2, 3, 4, 9, dtype=torch.float64)
    actual = LocalGaussian(torch.zeros(1), sigma=1e9)(scores)
    torch.testing.assert_close(actual, softmax(scores), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (1,), (3, 1), (2, 3, 4), (2, 1, 4), (1, 3, 1)], ids=str)
def test_chunks_of_rows_and_heads_equal_the_whole(shape: tuple[int, ...]) -> None:
    scores = torch.randn(2, 3, 4, 9)
    where = torch.rand(2, 3, 4, 9) < 0.8
    normalizer = LocalGaussian(8 * torch.rand(shape), sigma=2.0, window=3.0)
    whole = normalizer(scores, where)
    rows = [
        normalizer.at(slice(None), slice(i, i + 3))(scores[:, :, i : i + 3], where[:, :, i : i + 3])
        for i in (0, 3)
    ]
    # Not to the last bit: a vector loop and its remainder may round an exponential differently.
    torch.testing.assert_close(torch.cat(rows, 2), whole)
    heads = normalizer.at([2, 0], slice(None))(scores[:, [2, 0]], where[:, [2, 0]])
    torch.testing.assert_close(heads, whole[:, [2, 0]])


def test_derivatives_to_center_and_scores_agree_with_finite_differences() -> None:
    scores = torch.randn(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    center = (4 * torch.rand(1, 1, 3, dtype=torch.float64)).requires_grad_()
    where = torch.rand(1, 1, 3, 4) < 0.8
    where[:, :, 1] = False

    def weigh(scores: torch.Tensor, center: torch.Tensor) -> torch.Tensor:
        return LocalGaussian(center, sigma=1.3)(scores, where)

    assert torch.autograd.gradcheck(weigh, (scores, center))
    assert torch.autograd.gradgradcheck(weigh, (scores, center))


@pytest.mark.parametrize("garbage", [torch.nan, torch.inf])
def test_the_center_of_a_dead_row_may_be_anything(garbage: float) -> None:
    center = torch.tensor([2.0, garbage, 1.0], requires_grad=True)
    where = torch.tensor([[True], [False], [True]]).expand(3, 5)
    scores = torch.randn(1, 1, 3, 5, requires_grad=True)
    weights = LocalGaussian(center, sigma=1.0)(scores, where)
    assert (weights[0, 0, 1] == 0).all()
    gradients = torch.autograd.grad(weights.square().sum(), (scores, center))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[1][1] == 0 and gradients[1][0] != 0


def test_a_center_of_another_shape_is_refused_with_both_shapes() -> None:
    query = torch.zeros(2, 3, 4, 8)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 5\), .* = \(2, 3, 4\)"):
        LocalGaussian(torch.zeros(2, 3, 5), 1.0).check(query, query)
    LocalGaussian(torch.zeros(3, 1), 1.0).check(query, query)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf])
def test_a_sigma_without_a_meaning_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match=f"0 < sigma < inf, got {sigma:g}"):
        LocalGaussian(torch.zeros(1), sigma)


def test_a_negative_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window >= 0, got -1;"):
        LocalGaussian(torch.zeros(1), 1.0, window=-1.0)
