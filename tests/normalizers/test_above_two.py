"""Entmax for alpha > 2 against its definition with 60 digits, weights and gradients."""

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from regard.normalizers import Entmax, hard

ALPHAS = [1.0001, 1.01, 1.9, 2.0001, 2.5, 3.0, 5.0, 10.0, 50.0, 200.0, 1e4]
KINDS = ["close", "unit", "far", "tied", "nearly tied"]


@pytest.fixture(autouse=True)
def sixty_digits():
    with mpmath.workdps(60):
        yield


def scores_like(kind: str, k_len: int, alpha: float) -> Tensor:
    """Scores that float32 can hold."""
    scores = torch.randn(k_len, dtype=torch.float64)
    sizes = {"close": 0.01, "unit": 1.0, "far": 1e6, "tied": 1.0, "nearly tied": 1e-5 / alpha}
    scores = (2 * scores).round() / 4 if kind == "tied" else scores * sizes[kind]
    return scores.float().double()


def weights_by_definition(scores: list[float], alpha: float) -> list[mpf]:
    """Add keys from the best down while they get weight, then halve the lowest weight's interval.

    What depends on the lowest weight alone is kept as a logarithm.
    """
    s = mpf(alpha) - 1
    z = [s * mpf(score) for score in scores]

    def root(x: mpf) -> mpf:
        return mpmath.exp(mpmath.log(x) / s) if x > 0 else mpf(0)

    ordered = sorted(z, reverse=True)
    lowest = ordered[0]
    for place, candidate in enumerate(ordered):
        if sum(root(other - candidate) for other in ordered[:place]) < 1:
            lowest = candidate
    kept = [other - lowest for other in ordered if other >= lowest]
    low, high = mpf(10) ** -60, mpf(1)
    for _ in range(200):
        p = (low + high) / 2
        power = mpmath.exp(s * mpmath.log(p))
        low, high = (p, high) if sum(root(power + above) for above in kept) < 1 else (low, p)
    power = mpmath.exp(s * mpmath.log(high))
    return [root(power + (x - lowest)) if x >= lowest else mpf(0) for x in z]


def gradient_by_hand(weights: list[mpf], alpha: float, flow: list[float]) -> list[mpf]:
    """`r (v - sum(r v) / sum(r))` with `r = w^(2 - alpha)`, v measured where r is largest."""
    slopes = [mpmath.exp((2 - mpf(alpha)) * mpmath.log(w)) if w > 0 else mpf(0) for w in weights]
    steepest = max(range(len(slopes)), key=slopes.__getitem__)
    v = [mpf(up) - mpf(flow[steepest]) for up in flow]
    mean = sum(r * up for r, up in zip(slopes, v, strict=True)) / sum(slopes)
    gradient = [r * (up - mean) for r, up in zip(slopes, v, strict=True)]
    gradient[steepest] = -sum(g for j, g in enumerate(gradient) if j != steepest)
    return gradient


def tensor_of(numbers: list[mpf]) -> Tensor:
    return torch.tensor([float(number) for number in numbers], dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_weights_and_gradients_are_those_of_the_definition(alpha: float, kind: str) -> None:
    for k_len in (1, 2, 3, 9):
        scores, flow = scores_like(kind, k_len, alpha), torch.randn(k_len, dtype=torch.float64)
        flow = flow.float().double()
        by_hand = weights_by_definition(scores.tolist(), alpha)
        weights = tensor_of(by_hand)
        gradient = tensor_of(gradient_by_hand(by_hand, alpha, flow.tolist()))
        for dtype, error in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
            given = scores.to(dtype).requires_grad_()
            mine = Entmax(alpha)(given)
            torch.testing.assert_close(mine.double(), weights, rtol=0, atol=error)
            (found,) = torch.autograd.grad(mine, given, flow.to(dtype))
            # What does not fit into the dtype overflows, or is cut at 1e130.
            fits = gradient.abs() < (1e37 if dtype == torch.float32 else 1e120)
            torch.testing.assert_close(
                found.double()[fits], gradient[fits], rtol=1000 * error, atol=1000 * error
            )
            assert not found.isnan().any()


@pytest.mark.parametrize("alpha", [2.0001, 3.0, 10.0, 1e4])
@pytest.mark.parametrize("k_len", [257, 2048])
@pytest.mark.parametrize("size", [0.0, 1e-6, 0.01, 1.0, 1e5])
def test_long_rows_satisfy_the_definition(alpha: float, k_len: int, size: float) -> None:
    # Between any two keys with weight the powers differ by the scores; those below have none left.
    scores = (size * torch.randn(4, k_len)).double()
    weights = Entmax(alpha)(scores)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4).double(), rtol=0, atol=1e-12)
    single = Entmax(alpha)(scores.float())
    torch.testing.assert_close(single.double(), weights, rtol=0, atol=1e-6)
    s = alpha - 1.0
    for row, found in zip(scores, weights, strict=True):
        lowest = torch.where(found > 0, row, torch.inf).min()
        smallest = found[row == lowest].min()
        above = s * (row - lowest).clamp_min(0.0)
        expected = (smallest**s + above).pow(1.0 / s)
        # A power below the smallest float64 leaves the lowest keys to themselves.
        seen = (found > 0) & ((smallest**s > 0) | (row > lowest))
        torch.testing.assert_close(found[seen], expected[seen], rtol=1e-9, atol=1e-12)
        below = torch.where(found > 0, -torch.inf, row).max()
        if below > -torch.inf:
            reach = (s * (row - below)).clamp_min(0.0).pow(1.0 / s).sum()
            assert reach >= 1.0 - 1e-12


def test_the_row_of_the_report_is_right() -> None:
    for dtype in (torch.float32, torch.float64):
        weights = Entmax(10.0)(torch.tensor([0.0, -0.04], dtype=dtype))
        expected = torch.tensor([0.893, 0.107], dtype=dtype)
        torch.testing.assert_close(weights, expected, rtol=0, atol=5e-4)


def test_a_very_large_alpha_gives_the_arg_max() -> None:
    scores = torch.randn(5, 30)
    for alpha in (1e8, 1e16, 1e300):
        torch.testing.assert_close(Entmax(alpha)(scores), hard(scores), rtol=0, atol=1e-5)


@pytest.mark.parametrize("alpha", [2.5, 10.0])
def test_a_key_on_the_edge_enters_without_a_jump(alpha: float) -> None:
    edge = -1.0 / (alpha - 1.0)
    steps = torch.tensor([-1e-9, -1e-12, 0.0, 1e-12, 1e-9], dtype=torch.float64)
    scores = torch.stack([torch.zeros_like(steps), edge + steps], dim=-1).requires_grad_()
    weights = Entmax(alpha)(scores)
    assert (weights[:2, 1] == 0).all() and (weights[3:, 1] > 0).all()
    torch.testing.assert_close(weights[:, 1], torch.zeros(5).double(), rtol=0, atol=1e-8)
    weights[:, 1].sum().backward()
    assert scores.grad.isfinite().all()


def test_a_permitted_nan_shows_and_dead_rows_stay_zero() -> None:
    scores = torch.randn(3, 6)
    scores[0, 2] = torch.nan
    where = torch.ones(3, 6, dtype=torch.bool)
    where[1] = False
    weights = Entmax(3.0)(scores, where)
    assert weights[0].isnan().any() and (weights[1] == 0).all()
    torch.testing.assert_close(weights[2].sum(), torch.tensor(1.0))
