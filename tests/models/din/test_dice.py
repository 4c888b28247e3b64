"""Dice is its equation: statistics of the batch while training, moving ones otherwise."""

import numpy as np
import torch

from regard.models.din.dice import Dice


def equation(
    s: np.ndarray, mean: np.ndarray, variance: np.ndarray, alpha: np.ndarray
) -> np.ndarray:
    p = 1 / (1 + np.exp(-(s - mean) / np.sqrt(variance + 1e-8)))
    return p * s + (1 - p) * alpha * s


def made() -> tuple[Dice, torch.Tensor]:
    dice = Dice(4).double()
    torch.nn.init.normal_(dice.alpha)
    return dice, torch.randn(3, 5, 4, dtype=torch.float64) * 2 + 1


def test_training_takes_mean_and_variance_of_the_batch() -> None:
    dice, s = made()
    flat, alpha = s.reshape(-1, 4).numpy(), dice.alpha.detach().numpy()
    wanted = equation(s.numpy(), flat.mean(0), flat.var(0), alpha)
    np.testing.assert_allclose(dice(s).detach().numpy(), wanted, rtol=1e-12)


def test_evaluation_takes_the_moving_averages_and_leaves_them() -> None:
    dice, s = made()
    dice(s)
    flat = s.reshape(-1, 4).numpy()
    mean, variance = 0.1 * flat.mean(0), 0.9 + 0.1 * flat.var(0)
    np.testing.assert_allclose(dice.mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(dice.variance.numpy(), variance, rtol=1e-12)
    dice.eval()
    wanted = equation(s.numpy(), mean, variance, dice.alpha.detach().numpy())
    np.testing.assert_allclose(dice(s).detach().numpy(), wanted, rtol=1e-12)
    dice(s + 7)
    np.testing.assert_allclose(dice.mean.numpy(), mean, rtol=1e-12)


def test_the_gradient_goes_through_the_statistics() -> None:
    dice, s = made()
    assert torch.autograd.gradcheck(dice, (s.requires_grad_(),))


def test_a_single_row_and_none_are_finite() -> None:
    dice, s = made()
    assert torch.isfinite(dice(s[:1, 0])).all()
    assert dice(s[:0]).shape == (0, 5, 4)
    assert torch.isfinite(dice.mean).all() and torch.isfinite(dice.variance).all()
