import pytest
import torch

from regard.normalizers import Entmax, LearnedEntmax


def test_alpha_starts_where_told_and_equals_the_fixed_one() -> None:
    scores = torch.randn(2, 3, 4, 9, dtype=torch.float64)
    for num_heads in (None, 3):
        learned = LearnedEntmax(num_heads, alpha=1.3).double()
        torch.testing.assert_close(learned(scores), Entmax(1.3)(scores), rtol=0, atol=1e-6)


def test_each_head_has_its_own_alpha() -> None:
    learned = LearnedEntmax(num_heads=2).double()
    with torch.no_grad():
        learned.a[:] = torch.tensor([-1.0, 1.0])
    scores = torch.randn(2, 1, 4, 9, dtype=torch.float64).expand(2, 2, 4, 9)
    weights = learned(scores)
    for head in range(2):
        expected = Entmax(learned.alpha.tolist()[head])(scores[:, head])
        torch.testing.assert_close(weights[:, head], expected, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("num_heads", [None, 2])
@pytest.mark.parametrize("start", [-3.0, 0.0, 1.0])
def test_derivatives_to_alpha_and_scores_agree_with_finite_differences(
    num_heads: int | None, start: float
) -> None:
    learned = LearnedEntmax(num_heads).double()
    scores = 0.43 * torch.stack([torch.randperm(6) for _ in range(6)]).double()
    scores = scores.reshape(1, 2, 3, 6).requires_grad_()
    a = (start + 0.3 * torch.rand_like(learned.a)).requires_grad_()
    where = torch.ones(3, 6, dtype=torch.bool)
    where[1] = False

    def weigh(a: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(learned, {"a": a}, (scores, where))

    assert torch.autograd.gradcheck(weigh, (a, scores))
    assert torch.autograd.gradgradcheck(weigh, (a, scores))


def test_alpha_learns() -> None:
    learned = LearnedEntmax(alpha=1.5)
    scores = torch.randn(1, 1, 4, 30)
    target = Entmax(1.8)(scores)
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        (learned(scores) - target).square().sum().backward()
        optimizer.step()
    assert abs(learned.alpha.item() - 1.8) < 2e-2


@pytest.mark.parametrize("a", [-40.0, -15.0, 15.0, 40.0])
def test_saturated_alpha_stays_finite(a: float) -> None:
    learned = LearnedEntmax()
    with torch.no_grad():
        learned.a.fill_(a)
    scores = torch.randn(1, 1, 8, 30, requires_grad=True)
    weights = learned(scores)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1, 8))
    torch.testing.assert_close(weights, Entmax(1.0 if a < 0 else 2.0)(scores), rtol=0, atol=1e-5)
    weights.square().sum().backward()
    assert scores.grad.isfinite().all() and learned.a.grad.isfinite()


def test_another_number_of_heads_is_refused_with_both_numbers() -> None:
    learned = LearnedEntmax(num_heads=4)
    query = torch.zeros(1, 3, 5, 8)
    with pytest.raises(ValueError, match="num_heads=4, but query has 3 heads"):
        learned.check(query, query)
    learned.check(query.expand(1, 3, 5, 8)[:, [0, 0, 0, 0]], query)
    LearnedEntmax().check(query, query)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 0.5])
def test_a_start_outside_the_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="LearnedEntmax needs"):
        LearnedEntmax(alpha=alpha)
