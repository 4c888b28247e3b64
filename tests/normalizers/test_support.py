"""The search of the entmax family: the same on a list and on the matrix, and right for any row."""

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from regard.normalizers import Entmax, LearnedEntmax, sparsemax
from tests.one_by_one import all_in_one

MEMBERS = {
    "sparsemax": sparsemax,
    "Entmax(1.5)": Entmax(1.5),
    "Entmax(1.3)": Entmax(1.3),
    "Entmax(2.5)": Entmax(2.5),
    "LearnedEntmax": LearnedEntmax(num_heads=2, alpha=1.7).double(),
}
WAYS = {
    "matrix": {"FEW": -1.0, "SOME": -1.0},
    "list after the search": {"FEW": -1.0, "SOME": 1.0},
    "list before the search": {"FEW": 1.0, "SOME": 1.0},
    "blocks of two rows": {"FEW": -1.0, "SOME": 0.3, "SEARCHED": 600},
}

every = pytest.mark.parametrize("normalizer", MEMBERS.values(), ids=MEMBERS)
way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def force(monkeypatch: pytest.MonkeyPatch, way: dict[str, float]) -> None:
    for name, value in way.items():
        monkeypatch.setattr(sys.modules["regard.normalizers._support"], name, value)
    monkeypatch.setattr(sys.modules["regard.normalizers._above_two"], "SOME", way["SOME"])


def bisected(scores: Tensor, alpha: float) -> Tensor:
    """The definition: the threshold at which the weights sum to one, by bisection."""
    z = (alpha - 1.0) * scores
    low, high = z.amax(-1, keepdim=True) - 1.0, z.amax(-1, keepdim=True)
    for _ in range(200):
        tau = 0.5 * (low + high)
        more = (z - tau).clamp_min(0.0).pow(1.0 / (alpha - 1.0)).sum(-1, keepdim=True) > 1.0
        low, high = torch.where(more, tau, low), torch.where(more, high, tau)
    return (z - low).clamp_min(0.0).pow(1.0 / (alpha - 1.0))


def alpha_of(normalizer: Callable) -> float:
    if normalizer is sparsemax:
        return 2.0
    return normalizer.alpha if isinstance(normalizer, Entmax) else normalizer.alpha.tolist()[0]


@way
@every
@all_in_one("size", [1e-3, 0.1, 1.0, 100.0])
@all_in_one("k_len", [1, 2, 17, 300])
def test_every_way_gives_the_weights_of_the_definition(
    normalizer: Callable, way: dict, size: float, k_len: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, way)
    scores = size * torch.randn(1, 2, 3, k_len, dtype=torch.float64)
    expected = bisected(scores, alpha_of(normalizer))
    torch.testing.assert_close(normalizer(scores), expected, rtol=0, atol=1e-11)


@pytest.mark.slow
@way
@every
def test_every_way_gives_the_same_derivatives(
    normalizer: Callable, way: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Evenly spaced scores: no entry is near the edge of the support.
    scores = 0.37 * torch.stack([torch.randperm(5) for _ in range(4)]).double()
    scores = scores.reshape(1, 2, 2, 5).requires_grad_()
    where = torch.rand(1, 2, 2, 5) < 0.8
    where[:, :, 0] = False
    force(monkeypatch, way)

    def weigh(scores: Tensor) -> Tensor:
        return normalizer(scores, where)

    assert torch.autograd.gradcheck(weigh, scores)
    assert torch.autograd.gradgradcheck(weigh, scores)


@way
@every
def test_garbage_under_the_mask_stays_there(
    normalizer: Callable, way: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, way)
    clean = torch.randn(1, 2, 5, 9, dtype=torch.float64)
    where = torch.rand(1, 2, 5, 9) < 0.6
    where[:, :, 0] = False
    results = []
    for hidden in (0.0, torch.nan, torch.inf):
        scores = clean.masked_fill(~where, hidden).requires_grad_()
        parameters = list(normalizer.parameters()) if isinstance(normalizer, LearnedEntmax) else []
        weights = normalizer(scores, where)
        flow = clean.masked_fill(~where, hidden)
        results.append((weights, *torch.autograd.grad(weights, [scores, *parameters], flow)))
    for dirty in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], dirty, strict=True))


@way
@every
def test_a_permitted_nan_shows(
    normalizer: Callable, way: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, way)
    scores = torch.randn(1, 2, 3, 50, dtype=torch.float64)
    scores[0, 1, 2, 7] = torch.nan
    weights = normalizer(scores, torch.arange(50) < 40)
    assert weights[0, 1, 2, :40].isnan().any()
    assert (weights[..., 40:] == 0).all()
    weights[0, 1, 2] = 0.0
    assert weights.isfinite().all()


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_that_shed_one_key_at_a_time_are_searched_to_the_end(
    normalizer: Callable, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, WAYS["matrix"])
    # Geometric gaps are the slowest rows for Newton's method.
    ladders = [-(base ** torch.arange(-40.0, 41.0)) for base in (1.1, 1.5, 2.0, 3.0)]
    scores = torch.stack([torch.stack(ladders)] * 2)[None].to(dtype)
    weights = normalizer.to(dtype)(scores) if hasattr(normalizer, "to") else normalizer(scores)
    expected = bisected(scores.double(), alpha_of(normalizer))
    tolerance = 1e-11 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(weights.double(), expected, rtol=0, atol=tolerance)
    if hasattr(normalizer, "to"):
        normalizer.to(torch.float64)


@every
def test_a_list_loses_no_key_where_large_scores_round(
    normalizer: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = ((0.5 * torch.randn(1, 2, 50, 300)) * 512).round() / 512 + 4096.0
    results = []
    for way in ("matrix", "list after the search", "list before the search"):
        force(monkeypatch, WAYS[way])
        results.append(normalizer(scores))
    for listed in results[1:]:
        torch.testing.assert_close(listed, results[0], rtol=0, atol=1e-6)
