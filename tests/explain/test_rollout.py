"""Rollout is the product of residual matrices, and says of every token what it is made of."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from regard.explain import cross_rollout, normalized, rollout, rollout_over_uniform, without_sink
from tests.explain.drawn import stacks, weights

FUSE: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}


def defined(layers: Any, residual: float, heads: str, discard: float) -> np.ndarray:
    """The equation in loops, for one item; `layers` are `[heads, q, k]`."""
    total: np.ndarray | None = None
    for layer in layers:
        _, q_len, k_len = layer.shape
        step = np.zeros((q_len, k_len))
        for q in range(q_len):
            row = [FUSE[heads]([head[q, k] for head in layer]) for k in range(k_len)]
            positive = sorted(w for w in row if w > 0)
            for lowest in positive[: int(np.floor(discard * len(positive)))]:
                row[row.index(lowest)] = 0.0
            if sum(row) > 0:
                row = [w / sum(row) for w in row]
            for k in range(k_len):
                if q_len != k_len:
                    step[q, k] = row[k]
                elif sum(row) == 0:
                    step[q, k] = q == k
                else:
                    step[q, k] = residual * (q == k) + (1 - residual) * row[k]
        total = step if total is None else step @ total
    assert total is not None
    return total


@pytest.mark.parametrize("heads", FUSE)
@pytest.mark.parametrize("residual", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("discard", [0.0, 0.35, 0.9])
@pytest.mark.parametrize("kind", [{}, {"causal": True}, {"dead": [0, 3]}])
def test_it_is_what_the_equation_says(
    heads: Any, residual: float, discard: float, kind: dict[str, Any]
) -> None:
    given = weights(3, 2, 4, 5, 5, **kind)
    found = rollout(given, residual=residual, heads=heads, discard=discard)
    assert found.axes == ("batch", "query", "key")
    for item in range(2):
        wanted = defined(given[:, item].numpy(), residual, heads, discard)
        np.testing.assert_allclose(found.values[item].numpy(), wanted, rtol=1e-12, atol=1e-14)


def test_layers_may_differ_in_heads_and_pool_their_tokens() -> None:
    given = [weights(1, 2, 5, 5), weights(1, 3, 2, 5, seed=1), weights(1, 1, 2, 2, seed=2)]
    found = rollout(given)
    wanted = defined([layer[0].numpy() for layer in given], 0.5, "mean", 0.0)
    assert found.values.shape == (1, 2, 5)
    np.testing.assert_allclose(found.values[0].numpy(), wanted, rtol=1e-12)


@given(stacks())
def test_rows_sum_to_one_and_nothing_is_negative(given: Tensor) -> None:
    for heads in ("mean", "max", "min"):
        found = rollout(given, heads=heads, discard=0.4).values
        torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:2]).double())
        assert (found >= 0).all()


@given(stacks())
def test_of_layers_that_do_nothing_it_is_the_identity(given: Tensor) -> None:
    eye = torch.eye(given.shape[-1]).double()
    assert torch.equal(rollout(eye.expand_as(given)).values, eye.expand(given.shape[1], -1, -1))
    assert torch.equal(rollout(0 * given).values, eye.expand(given.shape[1], -1, -1))


@given(stacks())
def test_one_stack_on_another_is_the_product_of_both(given: Tensor) -> None:
    twice = rollout(torch.cat([given, given])).values
    torch.testing.assert_close(twice, rollout(given).values @ rollout(given).values)


def test_of_a_causal_network_it_is_causal_and_early_tokens_win() -> None:
    given = weights(12, 1, 4, 16, 16, causal=True, sharp=0.0)
    found = rollout(given).values[0]
    assert torch.equal(found, found.tril())
    assert found[-1].argmax() == 0 and found[-1, 0] > 0.75


@given(stacks())
def test_over_uniform_equal_weights_are_one(given: Tensor) -> None:
    even = normalized((given > 0).any(2, keepdim=True).double())
    found = rollout_over_uniform(even).values
    reached = rollout(even).values > 0
    torch.testing.assert_close(found, reached.double())


def test_over_uniform_is_a_quotient() -> None:
    given = weights(4, 1, 2, 6, 6, causal=True)
    even = torch.ones(6, 6).tril().double()
    even = (even / even.sum(-1, keepdim=True)).expand(4, 1, 1, 6, 6)
    wanted = rollout(given).values / rollout(even).values
    torch.testing.assert_close(
        rollout_over_uniform(given).values.tril(), wanted.nan_to_num().tril()
    )


def test_without_the_sink_the_first_token_gets_nothing_from_others() -> None:
    given = weights(3, 1, 2, 6, 6, causal=True)
    found = rollout(without_sink(given)).values[0]
    assert (found[1:, 0] == 0).all() and found[0, 0] == 1
    torch.testing.assert_close(found.sum(-1), torch.ones(6).double())


def cross_defined(
    encoder: Any, decoder: Any, cross: Any, r: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rollout of one network over the tokens of both, in which only the decoder's rows change."""
    source, target = cross.shape[-1], decoder.shape[-1]
    total = np.eye(source + target)
    for layer in encoder:
        step = np.eye(source + target)
        step[:source, :source] = r * np.eye(source) + (1 - r) * layer.mean(0)
        total = step @ total
    for own, other in zip(decoder, cross, strict=True):
        step = np.eye(source + target)
        step[source:, source:] = r * np.eye(target) + (1 - r) * own.mean(0)
        total = step @ total
        step = np.eye(source + target)
        step[source:, source:] = r * np.eye(target)
        step[source:, :source] = (1 - r) * other.mean(0)
        total = step @ total
    return total[source:, :source], total[source:, source:]


@pytest.mark.parametrize("residual", [0.0, 0.5, 0.8])
def test_a_decoder_is_rolled_out_over_both_sequences(residual: float) -> None:
    encoder, decoder = weights(3, 2, 2, 4, 4), weights(2, 2, 3, 5, 5, causal=True, seed=1)
    cross = weights(2, 2, 3, 5, 4, seed=2)
    found = cross_rollout(encoder, decoder, cross, residual=residual)
    for item in range(2):
        source, target = cross_defined(
            encoder[:, item].numpy(), decoder[:, item].numpy(), cross[:, item].numpy(), residual
        )
        np.testing.assert_allclose(found.source.values[item].numpy(), source, rtol=1e-12)
        np.testing.assert_allclose(found.target.values[item].numpy(), target, rtol=1e-12)
    both = found.source.values.sum(-1) + found.target.values.sum(-1)
    torch.testing.assert_close(both, torch.ones(2, 5).double())


def test_a_query_that_sees_nothing_of_the_source_keeps_what_it_has() -> None:
    decoder = weights(2, 1, 1, 3, 3)
    cross = weights(2, 1, 1, 3, 4, dead=[1])
    found = cross_rollout(None, decoder, cross)
    both = found.source.values.sum(-1) + found.target.values.sum(-1)
    torch.testing.assert_close(both, torch.ones(1, 3).double())


def test_parts_of_two_networks_are_refused() -> None:
    decoder, cross = weights(2, 1, 1, 3, 3), weights(2, 1, 1, 3, 4)
    with pytest.raises(ValueError, match="same layers, got 2 and 1"):
        cross_rollout(None, decoder, cross[:1])
    with pytest.raises(ValueError, match="with 3 queries, cross of 1 with 2"):
        cross_rollout(None, decoder, cross[..., :2, :])
    with pytest.raises(ValueError, match="reads 4 tokens of 1 items, and the encoder gives 5"):
        cross_rollout(weights(1, 1, 1, 5, 5), decoder, cross)


def test_gradients_go_through() -> None:
    given = weights(2, 1, 2, 3, 3, causal=True, dead=[0]).requires_grad_()
    rollout(given, heads="max").values[0, 2, 1].backward()
    assert given.grad is not None and given.grad.isfinite().all() and given.grad.abs().sum() > 0
