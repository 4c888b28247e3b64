"""The sampled softmax: right in expectation whatever the chances, and exact in the limit."""

import math

import pytest
import torch

from regard.tasks.recommend.sampled_softmax import log_uniform, sampled_nll

ITEMS = 9


def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    user, table = torch.randn(3, 4).double(), torch.randn(ITEMS, 4).double()
    return user, table, torch.tensor([2, 5, 8])


def full(user: torch.Tensor, table: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    logits = user @ table[2:].T
    return logits.logsumexp(1) - logits.gather(1, target[:, None] - 2)[:, 0]


def skewed() -> torch.Tensor:
    chances = torch.rand(ITEMS).double() + 0.05
    chances[:2] = 0.0
    return chances / chances.sum()


def test_the_sum_over_items_is_unbiased_whatever_the_chances() -> None:
    user, table, target = case()
    for chances in (skewed(), log_uniform(ITEMS, 2).double()):
        # All draws of two, each with its chance: the expectation without an error of sampling.
        total = torch.zeros(3).double()
        for one in range(2, ITEMS):
            for other in range(2, ITEMS):
                drawn = torch.tensor([one, other])
                nll = sampled_nll(user, table, target, drawn, chances)
                total += chances[one] * chances[other] * nll.exp()
        torch.testing.assert_close(total, full(user, table, target).exp())


def test_many_draws_come_near_the_full_softmax_value_and_gradient() -> None:
    user, table, target = case()
    user.requires_grad_()
    chances = skewed()
    drawn = torch.multinomial(chances, 400_000, replacement=True)
    sampled = sampled_nll(user, table, target, drawn, chances)
    wanted = full(user, table, target)
    torch.testing.assert_close(sampled, wanted, rtol=0.02, atol=0.02)
    one, other = (torch.autograd.grad(x.sum(), user)[0] for x in (sampled, wanted))
    torch.testing.assert_close(one, other, rtol=0.05, atol=0.03)


def test_fewer_draws_are_too_low_on_average_and_more_are_nearer() -> None:
    user, table, target = case()
    chances = skewed()
    means = []
    for samples in (2, 20):
        draws = [torch.multinomial(chances, samples, replacement=True) for _ in range(2000)]
        nll = torch.stack([sampled_nll(user, table, target, d, chances) for d in draws])
        means.append(nll.mean(0))
    wanted = full(user, table, target)
    assert (means[0] < means[1]).all() and (means[1] < wanted + 0.02).all()


def test_a_target_that_is_drawn_is_left_out() -> None:
    user, table, target = case()
    drawn = torch.tensor([2, 2, 2])
    nll = sampled_nll(user, table, target, drawn, skewed())
    assert nll[0] == 0.0 and (nll[1:] > 0).all()


def test_log_uniform_chances_are_zipfs_and_sum_to_one() -> None:
    chances = log_uniform(102, 2)
    assert chances[:2].tolist() == [0.0, 0.0]
    assert chances.sum().item() == pytest.approx(1.0, rel=1e-6)
    assert chances[2].item() == pytest.approx(math.log(2) / math.log(101), rel=1e-6)
    assert (chances[2:-1] > chances[3:]).all()
    with pytest.raises(ValueError, match="of 2 numbers 2 stand for no item"):
        log_uniform(2, 2)
