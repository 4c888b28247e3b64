import math

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from regard.normalizers import GumbelSoftmax, Sample, softmax

SCORES = torch.tensor([0.0, 1.0, -1.0, 2.0, 9.0])
WHERE = torch.tensor([True, True, True, True, False])
DRAWS = 40_000


@pytest.mark.parametrize(
    "normalizer",
    [
        Sample(),
        Sample(seed=5),
        GumbelSoftmax(0.5, hard=True),
        GumbelSoftmax(0.5, hard=True, seed=5),
    ],
    ids=str,
)
def test_keys_are_drawn_as_often_as_softmax_says(normalizer) -> None:
    weights = normalizer(SCORES.expand(1, 4, DRAWS // 4, 5), WHERE)
    assert torch.equal(weights.sum(-1), torch.ones(1, 4, DRAWS // 4))
    expected = softmax(SCORES, WHERE)
    # Five standard deviations of the mean, for each head alone too.
    for frequency, draws in (
        (weights.mean((0, 1, 2)), DRAWS),
        *((weights[0, head].mean(0), DRAWS // 4) for head in range(4)),
    ):
        spread = (expected * (1 - expected) / draws).sqrt()
        assert ((frequency - expected).abs() <= 5 * spread + 1e-9).all()


def test_seeded_draws_do_not_repeat_across_rows_heads_batches_or_seeds() -> None:
    scores = torch.zeros(2, 3, 64, 64)
    first = Sample(seed=1)(scores).argmax(-1)
    rows = [row.tolist() for row in first.flatten(0, 1)] + [Sample(2)(scores)[0, 0].argmax(-1)]
    for i, one in enumerate(rows[:-1]):
        for other in rows[i + 1 :]:
            same = (torch.as_tensor(one) == torch.as_tensor(other)).float().mean()
            assert same < 0.2
    columns = Sample(seed=1)(scores).argmax(-1)
    assert torch.equal(columns, first)


def test_neighboring_draws_are_independent() -> None:
    drawn = Sample(seed=9)(torch.zeros(1, 1, 20_000, 2))[0, 0, :, 0]
    signs = 2 * drawn - 1
    assert abs(signs.mean()) < 5 / math.sqrt(20_000)
    for lag in (1, 2, 16, 256):
        assert abs((signs[lag:] * signs[:-lag]).mean()) < 5 / math.sqrt(20_000 - lag)


def test_without_a_seed_the_global_generator_decides() -> None:
    scores = torch.zeros(1, 1, 30, 30)
    torch.manual_seed(4)
    first, second = Sample()(scores), Sample()(scores)
    torch.manual_seed(4)
    assert torch.equal(Sample()(scores), first) and not torch.equal(first, second)


@pytest.mark.parametrize("normalizer", [GumbelSoftmax(), GumbelSoftmax(seed=2)], ids=str)
def test_checkpointing_draws_the_same_again(normalizer) -> None:
    scores = torch.randn(1, 2, 5, 7, requires_grad=True)
    flow = torch.randn(1, 2, 5, 7)
    torch.manual_seed(4)
    (plain,) = torch.autograd.grad(normalizer(scores), scores, flow)
    torch.manual_seed(4)
    kept = checkpoint(normalizer, scores, use_reentrant=False)
    torch.rand(3)
    (again,) = torch.autograd.grad(kept, scores, flow)
    assert torch.equal(again, plain)


def test_only_unseeded_draws_are_random() -> None:
    assert Sample().random and GumbelSoftmax().random
    assert not Sample(seed=0).random and not GumbelSoftmax(seed=0).random


def test_log_prob_is_that_of_the_drawn_keys() -> None:
    scores = torch.randn(2, 3, 4, 7, dtype=torch.float64, requires_grad=True)
    where = torch.rand(2, 3, 4, 7) < 0.7
    where[..., 0, :] = False
    weights = Sample(seed=1)(scores, where)
    log_prob = Sample.log_prob(weights, scores, where)
    alive = where.any(-1)
    expected = (weights * softmax(scores, where)).sum(-1).log()
    torch.testing.assert_close(log_prob[alive], expected[alive], rtol=0, atol=1e-12)
    assert (log_prob[~alive] == 0).all()

    def again(scores: torch.Tensor) -> torch.Tensor:
        return Sample.log_prob(weights[:1, :1], scores, where[:1, :1])

    few = scores[:1, :1].detach().requires_grad_()
    assert torch.autograd.gradcheck(again, few)
    assert torch.autograd.gradgradcheck(again, few)


def test_log_prob_ignores_what_lies_under_the_mask() -> None:
    clean, where = torch.randn(2, 3, 4, 7), torch.rand(2, 3, 4, 7) < 0.5
    weights = Sample(seed=1)(clean, where)
    results = []
    for hidden in (0.0, torch.nan, torch.inf):
        scores = clean.masked_fill(~where, hidden).requires_grad_()
        log_prob = Sample.log_prob(weights, scores, where)
        results.append((log_prob, *torch.autograd.grad(log_prob.sum(), scores)))
    for dirty in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], dirty, strict=True))


def test_reinforce_estimates_the_gradient_of_the_expected_reward() -> None:
    scores = SCORES.double().requires_grad_()
    reward = torch.tensor([1.0, -2.0, 0.5, 3.0, 100.0], dtype=torch.float64)
    (exact,) = torch.autograd.grad((softmax(scores, WHERE) * reward).sum(), scores)
    many = scores.expand(1, 1, DRAWS, 5)
    weights = Sample(seed=3)(many, WHERE)
    log_prob = Sample.log_prob(weights, many, WHERE)
    (estimate,) = torch.autograd.grad((log_prob * (weights @ reward - 1.0)).mean(), scores)
    torch.testing.assert_close(estimate, exact, rtol=0, atol=0.05)


def test_gumbel_softmax_becomes_one_hot_as_tau_falls() -> None:
    scores = torch.randn(1, 2, 50, 7)
    warm, cold = (GumbelSoftmax(tau, seed=1)(scores).amax(-1).mean() for tau in (5.0, 0.01))
    assert warm < 0.4 and cold > 0.98


@pytest.mark.parametrize("tau", [0.0, -1.0, math.inf])
def test_a_tau_without_a_meaning_is_refused(tau: float) -> None:
    with pytest.raises(ValueError, match=f"0 < tau < inf, got {tau:g}"):
        GumbelSoftmax(tau)
