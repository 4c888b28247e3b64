"""What a hard attention draws, and that what it learns from it is the gradient of the mean."""

import pytest
import torch
from torch import Tensor

from regard.layers import AttentionPool, HardPool, Reinforce, sample_keys
from regard.masks import Padding

COST = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.float64)
SCORES = torch.tensor([0.3, -0.5, 1.0, 0.0], dtype=torch.float64)
DRAWS = 20_000


def exact() -> Tensor:
    """The gradient of `sum_j softmax(scores)_j cost_j`, by enumeration."""
    scores = SCORES.clone().requires_grad_()
    (scores.softmax(0) @ COST).backward()
    return scores.grad


def estimates(reinforce: Reinforce) -> Tensor:
    """Many single-draw estimates of the same gradient, `[draws keys]`."""
    torch.manual_seed(0)
    scores = SCORES.repeat(DRAWS, 1, 1).requires_grad_()
    weights, sampled = sample_keys(scores.softmax(-1))
    reinforce((weights @ COST).squeeze(1), sampled).sum().backward()
    return scores.grad.squeeze(1)


def with_baseline(value: float) -> Reinforce:
    reinforce = Reinforce(bonus=0.0)
    reinforce.baseline.fill_(value)
    return reinforce


@pytest.mark.parametrize("baseline", [0.0, 1.5, -4.0])
def test_the_mean_of_the_estimates_is_the_enumerated_gradient(baseline: float) -> None:
    found = estimates(with_baseline(baseline))
    error = (found.mean(0) - exact()) / (found.std(0) / DRAWS**0.5)
    assert error.abs().max() < 4.0


def test_a_baseline_near_the_mean_cost_lowers_the_variance() -> None:
    mean_cost = float(SCORES.softmax(0) @ COST)
    without, with_one = estimates(with_baseline(0.0)), estimates(with_baseline(mean_cost))
    assert with_one.var(0).sum() < 0.7 * without.var(0).sum()


def test_draws_follow_the_probabilities_and_never_take_what_is_impossible() -> None:
    torch.manual_seed(0)
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2]).repeat(DRAWS, 1, 1)
    weights, sampled = sample_keys(probabilities)
    shares = weights.mean((0, 1))
    assert shares[1] == 0
    torch.testing.assert_close(shares, probabilities[0, 0], rtol=0, atol=0.02)
    torch.testing.assert_close(sampled.log_prob, (weights * probabilities).sum((1, 2)).log())
    entropy = torch.distributions.Categorical(probabilities[0, 0]).entropy()
    torch.testing.assert_close(sampled.entropy[0], entropy)


def test_weights_that_do_not_sum_to_one_are_divided_by_their_sum() -> None:
    weights = torch.tensor([[[0.5, 0.0, 1.5]]])
    torch.manual_seed(0)
    drawn, sampled = sample_keys(weights)
    torch.manual_seed(0)
    again, wanted = sample_keys(weights / 2)
    assert torch.equal(drawn, again)
    torch.testing.assert_close(sampled.log_prob, wanted.log_prob)
    torch.testing.assert_close(sampled.entropy, wanted.entropy)


def test_several_queries_add_their_log_probabilities_and_entropies() -> None:
    torch.manual_seed(0)
    probabilities = torch.rand(6, 3, 5).softmax(-1)
    weights, sampled = sample_keys(probabilities)
    wanted = (weights * probabilities).sum(-1).log().sum(-1)
    torch.testing.assert_close(sampled.log_prob, wanted)
    wanted = -(probabilities * probabilities.log()).sum((1, 2))
    torch.testing.assert_close(sampled.entropy, wanted)


def test_the_gradient_of_the_entropy_bonus_is_that_of_the_entropy() -> None:
    scores = SCORES.clone().requires_grad_()
    _, sampled = sample_keys(scores.softmax(0)[None, None])
    Reinforce(bonus=0.1)(torch.zeros(1, dtype=torch.float64), sampled).sum().backward()
    again = SCORES.clone().requires_grad_()
    (-0.1 * torch.distributions.Categorical(logits=again).entropy()).backward()
    torch.testing.assert_close(scores.grad, again.grad)


def hard_pool(estimator: str) -> tuple[HardPool, Tensor]:
    torch.manual_seed(1)
    return HardPool(AttentionPool(4), estimator).double(), torch.randn(2, 5, 4).double()


@pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])
def test_a_hard_pool_takes_the_likeliest_place_and_draws_the_others(estimator: str) -> None:
    pool, x = hard_pool(estimator)
    likeliest = pool.pool.weights(x).argmax(-1)
    for row in range(2):
        torch.testing.assert_close(pool(x)[row, 0], x[row, likeliest[row, 0]])
    drawn = torch.stack([pool.forward_sampled(x)[0] for _ in range(50)])
    assert all(
        any(torch.allclose(one[row, 0], key) for key in x[row]) for one in drawn for row in (0, 1)
    )
    assert drawn.std(0).max() > 0.1


@pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])
def test_padding_is_never_drawn_and_an_empty_row_gives_zeros(estimator: str) -> None:
    pool, x = hard_pool(estimator)
    x = x.requires_grad_()
    mask = Padding(torch.tensor([2, 0]))
    for _ in range(20):
        found, sampled = pool.forward_sampled(x, mask)
        assert any(torch.allclose(found[0, 0], key) for key in x[0, :2])
        assert not found[1].any()
        loss = found.square().sum((1, 2))
        if sampled is not None:
            loss = loss + Reinforce()(loss, sampled)
        loss.sum().backward()
    assert x.grad.isfinite().all() and not x.grad[0, 2:].any() and not x.grad[1].any()
    assert pool.pool.query.grad.isfinite().all() and pool.pool.query.grad.any()
    assert not pool(x, mask)[1].any()


def test_what_the_estimator_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="'reinforce', 'gumbel'.*got 'mean'"):
        HardPool(AttentionPool(4), "mean")
