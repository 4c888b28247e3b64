"""Covariance pooling is the matrix square root of the covariance, by iterations."""

import numpy as np
import pytest
import torch

from regard.vision import CovariancePooling
from regard.vision.covariance_pooling import covariance, square_root


def rooted(matrix: torch.Tensor) -> torch.Tensor:
    """By eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag_embed(values.clamp_min(0).sqrt()) @ vectors.mT


@pytest.mark.parametrize("places", [(9,), (7, 5), (3, 2, 4)])
def test_enough_iterations_give_the_square_root(places: tuple[int, ...]) -> None:
    x = torch.randn(3, 6, *places, dtype=torch.float64).requires_grad_()
    entries = CovariancePooling(6, iterations=40)(x)
    upper = np.triu_indices(6)
    for found, image in zip(entries, x.detach().flatten(2).numpy(), strict=True):
        matrix = torch.from_numpy(np.cov(image, bias=True))
        torch.testing.assert_close(found, rooted(matrix)[upper], rtol=1e-8, atol=1e-9)
    exact = rooted(covariance(x.flatten(2)))[:, upper[0], upper[1]]
    direction = torch.randn_like(exact)
    (one,) = torch.autograd.grad((entries * direction).sum(), x)
    (other,) = torch.autograd.grad((exact * direction).sum(), x)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("iterations", [1, 3, 5])
def test_few_iterations_act_on_eigenvalues_as_on_numbers(iterations: int) -> None:
    matrix = covariance(torch.randn(3, 6, 9, dtype=torch.float64))
    values, vectors = torch.linalg.eigh(matrix)
    y = values / values.sum(1, keepdim=True)
    z = torch.ones_like(y)
    for _ in range(iterations):
        step = (3 - z * y) / 2
        y, z = y * step, step * z
    wanted = vectors @ torch.diag_embed(y * values.sum(1, keepdim=True).sqrt()) @ vectors.mT
    torch.testing.assert_close(square_root(matrix, iterations), wanted, rtol=1e-10, atol=1e-12)


def test_derivatives_are_those_of_finite_differences() -> None:
    x = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(CovariancePooling(3), x)
    assert torch.autograd.gradgradcheck(CovariancePooling(3, 2), x)


def test_maps_of_a_single_value_give_zeros_and_finite_gradients() -> None:
    for places in ((1, 1), (7, 5)):
        x = torch.full((2, 6, *places), 3.0, requires_grad=True)
        entries = CovariancePooling(6)(x)
        (gradient,) = torch.autograd.grad(entries.sum(), x)
        assert not entries.any() and gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_squared_in_32(dtype: torch.dtype) -> None:
    x = (300 * torch.randn(2, 6, 7, 5)).to(dtype)
    found, wanted = CovariancePooling(6)(x), CovariancePooling(6)(x.float())
    assert found.dtype == dtype and torch.equal(found, wanted.to(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(CovariancePooling(6)(x.float()), wanted)


@pytest.mark.usefixtures("as_users_have_it")
def test_a_wrong_call_is_one_sentence() -> None:
    for wrong in ({"channels": 0}, {"channels": 4, "iterations": 0}):
        with pytest.raises(ValueError, match=f"^CovariancePooling .*{[*wrong][-1]}"):
            CovariancePooling(**wrong)
    with pytest.raises(ValueError, match="^CovariancePooling was made for 4 channels, got 5"):
        CovariancePooling(4)(torch.randn(2, 5, 3))
