"""Sparsemax and entmax against the `entmax` package, forward and gradients, and alpha's too."""

import entmax
import pytest
import torch
from torch import Tensor

from regard.normalizers import Entmax, LearnedEntmax, sparsemax

THEIRS = {
    1.5: lambda scores: entmax.entmax15(scores, dim=-1),
    2.0: lambda scores: entmax.sparsemax(scores, dim=-1),
    1.25: lambda scores: entmax.entmax_bisect(scores, 1.25, dim=-1, n_iter=80),
    1.75: lambda scores: entmax.entmax_bisect(scores, 1.75, dim=-1, n_iter=80),
    3.0: lambda scores: entmax.entmax_bisect(scores, 3.0, dim=-1, n_iter=80),
}


def with_gradient(function, scores: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    scores = scores.clone().requires_grad_()
    weights = function(scores)
    (gradient,) = torch.autograd.grad(weights, scores, flow)
    return weights.detach(), gradient


@pytest.mark.parametrize("alpha", THEIRS)
@pytest.mark.parametrize("k_len", [1, 2, 17, 257])
@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
def test_weights_and_gradients_equal_the_package(alpha: float, k_len: int, size: float) -> None:
    scores = size * torch.randn(3, 4, 5, k_len, dtype=torch.float64)
    flow = torch.randn_like(scores)
    ours = with_gradient(Entmax(alpha), scores, flow)
    theirs = with_gradient(THEIRS[alpha], scores, flow)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
def test_float32_is_as_close_to_float64_as_the_package(size: float) -> None:
    scores = size * torch.randn(16, 2048)
    for ours, theirs in ((sparsemax, THEIRS[2.0]), (Entmax(1.5), THEIRS[1.5])):
        golden = theirs(scores.double())
        error = (ours(scores).double() - golden).abs().max().item()
        theirs_error = (theirs(scores).double() - golden).abs().max().item()
        assert error <= 2 * theirs_error + 2e-7


@pytest.mark.parametrize("alpha", [1.2, 1.5, 1.8])
def test_the_gradient_of_alpha_equals_the_package(alpha: float) -> None:
    scores = torch.randn(2, 3, 4, 17, dtype=torch.float64)
    flow = torch.randn_like(scores)
    learned = LearnedEntmax(alpha=alpha).double()
    theirs = learned.alpha.detach().requires_grad_()
    learned(scores).backward(flow)
    entmax.entmax_bisect(scores, theirs, dim=-1, n_iter=80).backward(flow)
    slope = (learned.alpha - 1.0) * (2.0 - learned.alpha)
    torch.testing.assert_close(learned.a.grad, theirs.grad * slope, rtol=1e-7, atol=1e-8)
