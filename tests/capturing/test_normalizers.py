"""Attention written by hand whose normalizer is none of PyTorch's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard

entmax = pytest.importorskip("entmax")

Q, K, V = (
    torch.randn(2, 3, n, 4, generator=torch.Generator().manual_seed(s))
    for s, n in ((0, 5), (1, 7), (2, 7))
)
OPEN = torch.ones(5, 7).tril(2).bool()


def masked() -> Tensor:
    return (Q @ K.mT / 2).masked_fill(~OPEN, -1e9)


def by_exponentials(x: Tensor) -> Tensor:
    e = torch.exp(x - x.max(-1, keepdim=True).values) * OPEN
    return e / (e.sum(-1, keepdim=True) + 1e-12)


def by_sorting(x: Tensor) -> Tensor:
    """Sparsemax as it is copied from project to project."""
    ordered = x.sort(-1, descending=True).values
    sums, count = ordered.cumsum(-1) - 1, torch.arange(1, x.shape[-1] + 1)
    support = (count * ordered > sums).sum(-1, keepdim=True)
    return torch.max(torch.zeros_like(x), x - sums.gather(-1, support - 1) / support)


def by_relu(x: Tensor) -> Tensor:
    kept = F.relu(x)
    return kept / kept.sum(-1, keepdim=True).clamp_min(1e-9)


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "sparsemax": lambda x: entmax.sparsemax(x, dim=-1),
    "entmax(1.5)": lambda x: entmax.Entmax15(dim=-1)(x),
    "entmax(1.3)": lambda x: entmax.entmax_bisect(x, 1.3),
    "entmax": lambda x: entmax.entmax_bisect(x, torch.full((2, 3, 1, 1), 1.7), dim=3),
    "bisected": lambda x: entmax.sparsemax_bisect(x, dim=-1),
    "sigmoid": lambda x: torch.sigmoid(x),
    "by exponentials": by_exponentials,
    "by sorting": by_sorting,
    "by relu": by_relu,
}
NAMES = {"bisected": "sparsemax"} | dict.fromkeys(
    ("by exponentials", "by sorting", "by relu"), "rows sum to one"
)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("gradients", [False, True])
def test_whatever_makes_weights_of_scores_is_shown(name: str, gradients: bool) -> None:
    q = Q.clone().requires_grad_(gradients)
    normalize = WAYS[name]
    known = normalize((q @ K.mT / 2).masked_fill(~OPEN, -1e9))
    without = known @ V
    with regard.capture() as maps:
        scores = (q @ K.mT / 2).masked_fill(~OPEN, -1e9)
        seen = torch.matmul(normalize(scores), V)
    assert torch.equal(seen, without)
    assert [m.mechanism["normalizer"] for m in maps] == [NAMES.get(name, name)]
    assert torch.equal(maps[0].weights(), known.detach())


@pytest.mark.parametrize("name", ["sparsemax", "entmax(1.3)", "by exponentials"])
def test_dropout_behind_it_is_looked_through(name: str) -> None:
    normalize = WAYS[name]
    with regard.capture() as maps:
        F.dropout(normalize(masked()), 0.5, training=True) @ V
    assert torch.equal(maps[0].weights(), normalize(masked()))


def test_additive_scores_under_sparsemax_are_a_pool() -> None:
    one, two = nn.Linear(4, 6), nn.Linear(6, 1)
    x = K[:, 0]
    with regard.capture() as maps:
        weights = entmax.sparsemax(two(torch.tanh(one(x))).squeeze(-1), dim=-1)
        torch.bmm(weights.unsqueeze(1), x)
    assert maps[0].kind == "pool" and maps[0].mechanism["score"] == "additive"


class Doubled(torch.autograd.Function):
    """A function of an axis that normalizes nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return 2 * grads[0], None


def classes() -> Any:
    return entmax.sparsemax(nn.Linear(4, 3)(Q), dim=-1) @ torch.randn(2, 3, 3, 4)


def linear_attention() -> Any:
    q, k = F.relu(Q) + 1, F.relu(K) + 1
    return (q @ (k.mT @ V)) / (q @ k.sum(2).unsqueeze(-1))


def gathered() -> Any:
    shift = nn.Linear(4, 4)
    q = Doubled.apply(shift(Q[:, :, :5]), 2)
    return (q @ q.mT) @ V[:, :, :5]


def not_normalized() -> Any:
    return F.relu(Q @ K.mT) @ V


@pytest.mark.parametrize("call", [classes, linear_attention, gathered, not_normalized])
def test_what_is_no_normalizer_of_scores_is_no_attention(call: Callable[[], Any]) -> None:
    with regard.capture() as maps:
        call()
    assert len(maps) == 0


def test_functions_are_called_as_ever_after_the_last_capture() -> None:
    before = vars(torch.autograd.Function)["apply"]
    with regard.capture(), regard.capture():
        assert vars(torch.autograd.Function)["apply"] is not before
        assert Doubled.apply(Q, 1).equal(2 * Q)
    assert vars(torch.autograd.Function)["apply"] is before


def test_gradients_go_through_a_function_that_is_heard() -> None:
    q = Q.clone().requires_grad_()
    with regard.capture(gradients=True) as maps:
        weights = entmax.sparsemax(q @ K.mT, dim=-1)
        weights.retain_grad()
        (weights @ V).square().sum().backward()
    assert q.grad is not None and weights.grad is not None
    torch.testing.assert_close(maps[0].gradient(), weights.grad, atol=1e-6, rtol=0.0)
