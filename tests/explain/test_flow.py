"""Attention flow is the maximum flow through the stack: that of networkx, and no more than cuts."""

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from regard.explain import flow, rollout
from tests.explain.drawn import stacks, weights


def residual_matrices(given: Tensor, item: int, residual: float = 0.5) -> np.ndarray:
    """`r I + (1 - r) A`, of rows that see nothing the identity; `[layers, n, n]`."""
    found = []
    for layer in given[:, item].mean(1).numpy():
        step = residual * np.eye(len(layer)) + (1 - residual) * layer
        step[layer.sum(-1) == 0] = np.eye(len(layer))[layer.sum(-1) == 0]
        found.append(step)
    return np.array(found)


def graph_of(capacity: np.ndarray) -> networkx.DiGraph:
    graph = networkx.DiGraph()
    for layer, matrix in enumerate(capacity):
        for i, row in enumerate(matrix):
            for j, room in enumerate(row):
                graph.add_edge((layer + 1, i), (layer, j), capacity=room)
    return graph


@given(stacks())
@settings(max_examples=15)
def test_it_is_the_maximum_flow_of_networkx(given: Tensor) -> None:
    found = flow(given).values
    for item in range(given.shape[1]):
        capacity = residual_matrices(given, item)
        graph = graph_of(capacity)
        for q in range(given.shape[-1]):
            for k in range(given.shape[-1]):
                wanted = networkx.maximum_flow_value(graph, (len(capacity), q), (0, k))
                assert found[item, q, k].item() == pytest.approx(wanted, abs=1e-9)


@given(stacks())
def test_it_is_between_rollout_and_every_cut(given: Tensor) -> None:
    found = flow(given).values
    assert (found >= rollout(given).values - 1e-9).all()
    assert (found <= 1 + 1e-9).all()
    for item in range(given.shape[1]):
        capacity = residual_matrices(given, item)
        into = torch.from_numpy(capacity[0].sum(0))
        out = torch.from_numpy(capacity[-1].sum(1))
        assert (found[item] <= torch.minimum(into[None, :], out[:, None]) + 1e-9).all()
        # What is cut between any two floors, each of its nodes on the side of the source.
        for matrix in capacity:
            assert (found[item] <= matrix.sum() + 1e-9).all()


def test_what_must_turn_back_upward_is_found() -> None:
    # The first way that is taken, straight down, is in the way of another: 2 of its edges have to
    # give back what they took.
    given = weights(5, 1, 1, 8, 8, sharp=7.0, seed=3)
    found, capacity = flow(given).values, residual_matrices(given, 0)
    graph = graph_of(capacity)
    for q, k in np.ndindex(8, 8):
        wanted = networkx.maximum_flow_value(graph, (5, int(q)), (0, int(k)))
        assert found[0, q, k].item() == pytest.approx(wanted, abs=1e-9)


def test_only_what_is_asked_for_is_computed() -> None:
    given = weights(3, 2, 2, 5, 5)
    whole = flow(given).values
    some = flow(given, queries=[-1, 0], keys=[2])
    assert some.values.shape == (2, 2, 1)
    torch.testing.assert_close(some.values, whole[:, [4, 0]][:, :, [2]])
    with pytest.raises(IndexError, match="queries has 5, and there are 5: they go from 0 to 4"):
        flow(given, queries=[5])


def test_of_a_causal_network_nothing_flows_forward() -> None:
    found = flow(weights(3, 1, 2, 5, 5, causal=True)).values[0]
    assert torch.equal(found, found.tril()) and (found.diagonal() > 0).all()


def test_tokens_may_be_pooled() -> None:
    given = [weights(1, 1, 5, 5), weights(1, 1, 2, 5, seed=1)]
    found = flow(given).values
    assert found.shape == (1, 2, 5)
    graph = networkx.DiGraph()
    lower = 0.5 * np.eye(5) + 0.5 * given[0][0, 0].numpy()
    for matrix, floor in ((lower, 0), (given[1][0, 0].numpy(), 1)):
        for i, j in np.ndindex(*matrix.shape):
            graph.add_edge((floor + 1, int(i)), (floor, int(j)), capacity=matrix[i, j])
    for q, k in np.ndindex(2, 5):
        wanted = networkx.maximum_flow_value(graph, (2, int(q)), (0, int(k)))
        assert found[0, q, k].item() == pytest.approx(wanted, abs=1e-9)


def test_twelve_layers_of_64_tokens_are_not_too_many() -> None:
    given = weights(12, 1, 4, 64, 64)
    found = flow(given, queries=[63], keys=[0, 20, 63]).values
    graph = graph_of(residual_matrices(given, 0))
    for place, k in enumerate([0, 20, 63]):
        wanted = networkx.maximum_flow_value(graph, (12, 63), (0, k))
        assert found[0, 0, place].item() == pytest.approx(wanted, abs=1e-9)
