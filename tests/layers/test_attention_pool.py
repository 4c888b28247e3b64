"""An attention pool is its formula, and what is not permitted does not exist for it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.layers import Attend, AttentionPool, orthogonality_penalty
from regard.masks import Padding
from regard.normalizers import hard, sparsemax
from regard.scores import Additive, Cosine

LENGTHS = torch.tensor([5, 1, 3])


def ragged(filling: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(3, 5, 4, generator=rng, dtype=torch.float64)
    return x.masked_fill((torch.arange(5) >= LENGTHS[:, None])[..., None], filling)


def self_attentive(queries: int = 2) -> AttentionPool:
    torch.manual_seed(0)
    key = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    return AttentionPool(4, queries=queries, key=key).double()


def by_the_book(pool: AttentionPool, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lin et al., equations 5 and 6: `A = softmax(W_2 tanh(W_1 H^T))`, `M = A H`."""
    w1, b1 = (p.detach().numpy() for p in pool.key[0].parameters())
    rows, sums = [], []
    for u in pool.query.detach().numpy():
        scores = [sum(u[d] * np.tanh(w1[d] @ h + b1[d]) for d in range(len(u))) for h in x]
        exps = np.exp(scores)
        rows.append(exps / exps.sum())
        sums.append(sum(a * h for a, h in zip(rows[-1], x, strict=True)))
    return np.array(rows), np.array(sums)


def test_learned_queries_are_self_attentive_pooling() -> None:
    pool, x = self_attentive(), ragged()
    found, weights = pool(x, Padding(LENGTHS)), pool.weights(x, Padding(LENGTHS))
    for row, length in enumerate(LENGTHS):
        wanted_weights, wanted = by_the_book(pool, x[row, :length].numpy())
        np.testing.assert_allclose(found[row].detach(), wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            weights[row, :, :length].detach(), wanted_weights, rtol=0, atol=1e-12
        )
        assert not weights[row, :, length:].any()


def test_a_given_query_is_scored_by_luongs_general_product() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(4, query_dim=3).double()
    x, query = ragged(), torch.randn(3, 3, dtype=torch.float64)
    found = pool(x, Padding(LENGTHS), query)
    w = next(pool.parameters()).detach().numpy()
    for row, length in enumerate(LENGTHS):
        h, q = x[row, :length].numpy(), query[row].numpy()
        exps = np.exp([q @ w @ key for key in h])
        wanted = (exps / exps.sum()) @ h
        np.testing.assert_allclose(found[row, 0].detach(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("normalizer", [None, sparsemax, hard])
def test_a_row_without_a_permitted_position_gives_zeros_and_finite_gradients(normalizer) -> None:
    pool = self_attentive()
    if normalizer is not None:
        pool.attend.normalizer = normalizer
    x = ragged().requires_grad_()
    lengths = torch.tensor([5, 0, 3])
    out = pool(x, Padding(lengths))
    assert not out[1].any() and not pool.weights(x, Padding(lengths))[1].any()
    out.square().sum().backward()
    assert not x.grad[1].any() and x.grad[0].any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in pool.parameters())


def test_an_empty_sequence_gives_zeros() -> None:
    assert not self_attentive()(torch.empty(3, 0, 4, dtype=torch.float64)).any()


def test_any_score_and_normalizer_serve() -> None:
    x = ragged()
    for attend in (Attend(Cosine(), normalizer=sparsemax), Attend(Additive(4, 4, 3))):
        pool = AttentionPool(4, attend).double()
        weights = pool.weights(x, Padding(LENGTHS))
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 1, dtype=torch.float64))
        torch.testing.assert_close(pool(x, Padding(LENGTHS)), weights @ x)


def test_the_order_of_positions_does_not_matter() -> None:
    pool, x = self_attentive(), ragged()
    torch.testing.assert_close(pool(x), pool(x.flip(1)), rtol=0, atol=1e-12)


def test_the_penalty_is_the_squared_norm_written_out() -> None:
    weights = torch.rand(2, 3, 5, dtype=torch.float64).softmax(-1)
    for row, found in zip(weights.numpy(), orthogonality_penalty(weights), strict=True):
        wanted = sum((row[i] @ row[j] - (i == j)) ** 2 for i in range(3) for j in range(3))
        assert abs(found.item() - wanted) < 1e-12


def test_a_query_is_given_exactly_where_it_is_not_learned() -> None:
    x = torch.randn(2, 3, 4)
    with pytest.raises(ValueError, match="learns its queries: give none"):
        AttentionPool(4)(x, query=torch.randn(2, 4))
    with pytest.raises(ValueError, match="needs a query of width 4"):
        AttentionPool(4, query_dim=4)(x)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"embed_dim": 0}, "AttentionPool needs embed_dim >= 1, got 0"),
        ({"embed_dim": 4, "queries": 0}, "AttentionPool needs queries >= 1, got 0"),
        ({"embed_dim": 4, "queries": 2, "query_dim": 4}, "leave query_dim 4 out"),
    ],
)
def test_impossible_numbers_are_refused(arguments: dict[str, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        AttentionPool(**arguments)
