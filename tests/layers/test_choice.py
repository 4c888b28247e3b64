"""What a hard attention draws, and that what it learns from it is the gradient of the mean."""

import pytest
import torch
from torch import Tensor

from regard.layers import AttentionPool, Choice, HardPool, Reinforce, draw
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
    weights, choice = draw(scores.softmax(-1))
    reinforce((weights @ COST).squeeze(1), choice).sum().backward()
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
    weights, choice = draw(probabilities)
    shares = weights.mean((0, 1))
    assert shares[1] == 0
    torch.testing.assert_close(shares, probabilities[0, 0], rtol=0, atol=0.02)
    torch.testing.assert_close(choice.log_prob, (weights * probabilities).sum((1, 2)).log())
    entropy = torch.distributions.Categorical(probabilities[0, 0]).entropy()
    torch.testing.assert_close(choice.entropy[0], entropy)


def test_weights_that_do_not_sum_to_one_are_divided_by_their_sum() -> None:
    weights = torch.tensor([[[0.5, 0.0, 1.5]]])
    torch.manual_seed(0)
    drawn, choice = draw(weights)
    torch.manual_seed(0)
    again, wanted = draw(weights / 2)
    assert torch.equal(drawn, again)
    torch.testing.assert_close(choice.log_prob, wanted.log_prob)
    torch.testing.assert_close(choice.entropy, wanted.entropy)


def test_several_queries_add_their_log_probabilities_and_entropies() -> None:
    torch.manual_seed(0)
    probabilities = torch.rand(6, 3, 5).softmax(-1)
    weights, choice = draw(probabilities)
    wanted = (weights * probabilities).sum(-1).log().sum(-1)
    torch.testing.assert_close(choice.log_prob, wanted)
    wanted = -(probabilities * probabilities.log()).sum((1, 2))
    torch.testing.assert_close(choice.entropy, wanted)


def test_the_gradient_of_the_entropy_bonus_is_that_of_the_entropy() -> None:
    scores = SCORES.clone().requires_grad_()
    _, choice = draw(scores.softmax(0)[None, None])
    Reinforce(bonus=0.1)(torch.zeros(1, dtype=torch.float64), choice).sum().backward()
    again = SCORES.clone().requires_grad_()
    (-0.1 * torch.distributions.Categorical(logits=again).entropy()).backward()
    torch.testing.assert_close(scores.grad, again.grad)


def test_the_loss_keeps_its_value() -> None:
    choice = Choice(torch.tensor([-1.0, -2.0], requires_grad=True), torch.ones(2))
    nats = torch.tensor([3.0, 5.0])
    assert torch.equal(nats + Reinforce()(nats, choice), nats)


def test_the_baseline_follows_the_loss_in_training_alone() -> None:
    reinforce, choice = Reinforce(), Choice(torch.zeros(2), torch.zeros(2))
    for wanted in (0.4, 0.76):
        reinforce(torch.tensor([3.0, 5.0]), choice)
        torch.testing.assert_close(reinforce.baseline, torch.tensor(wanted))
    reinforce.eval()(torch.tensor([3.0, 5.0]), choice)
    torch.testing.assert_close(reinforce.baseline, torch.tensor(0.76))


def test_a_row_that_is_not_known_is_as_none() -> None:
    known = torch.tensor([True, False, True])
    nats, log_prob = torch.tensor([3.0, 100.0, 5.0]), torch.tensor([-1.0, -2.0, -3.0])
    found = []
    for rows, told in ((torch.arange(3), known), (torch.tensor([0, 2]), None)):
        reinforce, leaf = with_baseline(1.0), log_prob.clone().requires_grad_()
        reinforce(nats[rows], Choice(leaf[rows], leaf[rows]), told).sum().backward()
        found.append((leaf.grad, reinforce.baseline))
    assert found[0][0].tolist() == [2.0, 0.0, 4.0]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("nats", [[], [7.0], [float("nan")], [float("inf")]], ids=str)
def test_a_batch_that_tells_nothing_leaves_the_baseline_as_it_was(nats: list[float]) -> None:
    reinforce, zeros = with_baseline(2.0), torch.zeros(len(nats))
    known = torch.zeros(len(nats), dtype=torch.bool) if nats == [7.0] else None
    reinforce(torch.tensor(nats), Choice(zeros, zeros), known)
    assert reinforce.baseline == 2.0


@pytest.mark.parametrize("arguments", [{"decay": 1.0}, {"decay": -0.1}, {"bonus": -1.0}])
def test_impossible_numbers_are_refused(arguments: dict[str, float]) -> None:
    (name,) = arguments
    with pytest.raises(ValueError, match=name):
        Reinforce(**arguments)


def hard_pool(estimator: str) -> tuple[HardPool, Tensor]:
    torch.manual_seed(1)
    return HardPool(AttentionPool(4), estimator).double(), torch.randn(2, 5, 4).double()


@pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])
def test_a_hard_pool_takes_the_likeliest_place_and_explores_the_others(estimator: str) -> None:
    pool, x = hard_pool(estimator)
    likeliest = pool.pool.weights(x).argmax(-1)
    for row in range(2):
        torch.testing.assert_close(pool(x)[row, 0], x[row, likeliest[row, 0]])
    drawn = torch.stack([pool.explore(x)[0] for _ in range(50)])
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
        found, choice = pool.explore(x, mask)
        assert any(torch.allclose(found[0, 0], key) for key in x[0, :2])
        assert not found[1].any()
        loss = found.square().sum((1, 2))
        if choice is not None:
            loss = loss + Reinforce()(loss, choice)
        loss.sum().backward()
    assert x.grad.isfinite().all() and not x.grad[0, 2:].any() and not x.grad[1].any()
    assert pool.pool.query.grad.isfinite().all() and pool.pool.query.grad.any()
    assert not pool(x, mask)[1].any()


def test_what_the_estimator_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="'reinforce', 'gumbel'.*got 'mean'"):
        HardPool(AttentionPool(4), "mean")
