"""The logarithm of a sum of exponentials over nothing: -inf, and no gradient of any order."""

import pytest
import torch

import regard
from regard._backends import _logsumexp


@pytest.mark.parametrize("dim", [0, -1])
def test_a_total_of_nothing_is_minus_infinity_and_has_no_gradient(dim: int) -> None:
    scores = torch.randn(4, 4, dtype=torch.float64)
    scores[1], scores[:, 2] = -torch.inf, -torch.inf
    scores.requires_grad_()
    sums = _logsumexp.total(scores, dim)
    assert torch.equal(sums == -torch.inf, (scores == -torch.inf).all(dim))
    real = sums != -torch.inf
    torch.testing.assert_close(sums[real], scores.exp().sum(dim).log()[real])
    (first,) = torch.autograd.grad(
        sums.masked_fill(~real, 0.0).square().sum(), scores, create_graph=True
    )
    (second,) = torch.autograd.grad(first.square().sum(), scores)
    for gradient in (first, second):
        assert gradient.isfinite().all()
        assert (gradient[scores == -torch.inf] == 0).all()


def test_scores_of_minus_infinity_are_no_keys() -> None:
    query, key, value = (torch.randn(1, 1, 3, 2, dtype=torch.float64) for _ in range(3))
    given = [x.requires_grad_() for x in (query, key, value)]

    def hide(score: torch.Tensor, *at: torch.Tensor) -> torch.Tensor:
        return score.masked_fill(at[2] == 1, -torch.inf)

    part = regard.attention_partial(*given, score_mod=hide)
    assert (part.output[:, :, 1] == 0).all() and (part.logsumexp[:, :, 1] == -torch.inf).all()
    gradients = torch.autograd.grad(part.output.sum() + part.logsumexp[:, :, ::2].sum(), given)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert (gradients[0][:, :, 1] == 0).all()


def test_merging_nothing_with_nothing_has_no_gradient() -> None:
    outputs = torch.randn(2, 1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    sums = torch.randn(2, 1, 1, 3, dtype=torch.float64)
    sums[..., 1] = -torch.inf
    sums.requires_grad_()
    merged = regard.merge([regard.Partial(o, s) for o, s in zip(outputs, sums, strict=True)])
    assert (merged.output[:, :, 1] == 0).all() and (merged.logsumexp[:, :, 1] == -torch.inf).all()
    loss = merged.output.square().sum() + merged.logsumexp[:, :, ::2].sum()
    for gradient in torch.autograd.grad(loss, (outputs, sums)):
        assert gradient.isfinite().all() and (gradient[:, :, :, 1] == 0).all()
