"""Entropy, distance and sinks against loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from regard.explain import (
    difference,
    entropy,
    heads_where,
    mean_distance,
    normalized,
    sink_mass,
    total_variation,
    without_sink,
)
from tests.explain.drawn import stacks, weights


@given(stacks())
def test_entropy_and_distance_are_sums_over_keys(given: Tensor) -> None:
    nats, bits, share = (
        entropy(given, unit).stacked().values for unit in ("nats", "bits", "share")
    )
    far = mean_distance(given).stacked().values
    for place in np.ndindex(*given.shape[:4]):
        row, q = given[place].tolist(), place[-1]
        seen = (given[place[0], place[1], :, q] > 0).any(0).sum().item()
        wanted = -sum(w * math.log(w) for w in row if w > 0)
        assert nats[place].item() == pytest.approx(wanted, abs=1e-12)
        assert bits[place].item() == pytest.approx(wanted / math.log(2), abs=1e-12)
        most = math.log(seen) if seen > 1 else 1.0
        assert share[place].item() == pytest.approx(wanted / most, abs=1e-12)
        wanted = sum(w * abs(q - k) for k, w in enumerate(row))
        assert far[place].item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.usefixtures("as_users_have_it")
def test_patches_are_apart_as_they_lie_and_cached_queries_stand_last() -> None:
    given = weights(1, 1, 1, 6, 6)
    places = torch.tensor([[r, c] for r in range(2) for c in range(3)])
    found = mean_distance(given, places)[0].values
    for q in range(6):
        wanted = sum(
            given[0, 0, 0, q, k].item() * math.dist(places[q].tolist(), places[k].tolist())
            for k in range(6)
        )
        assert found[0, 0, q].item() == pytest.approx(wanted)
    last = mean_distance(given[..., 4:, :])[0].values
    torch.testing.assert_close(last, mean_distance(given)[0].values[..., 4:])
    with pytest.raises(ValueError, match=r"6 keys, and positions the shape \[5, 2\]"):
        mean_distance(given, places[:5])
    with pytest.raises(ValueError, match="7 queries and 6 keys, which are other tokens"):
        mean_distance(weights(1, 1, 1, 7, 6))
    with pytest.raises(ValueError, match="got \"?'trits"):
        entropy(given, "trits")  # type: ignore[arg-type]


@given(stacks())
def test_without_the_sink_is_the_softmax_with_it_masked(given: Tensor) -> None:
    if given.shape[-1] == 1:
        assert (without_sink(given)[0].values == 0).all()
        return
    scores = given.log().masked_fill(torch.arange(given.shape[-1]) == 0, -torch.inf)
    wanted = torch.softmax(scores, -1).nan_to_num()
    torch.testing.assert_close(without_sink(given).stacked().values, wanted)
    both = without_sink(given, [0, -1]).stacked().values
    assert (both[..., 0] == 0).all() and (both[..., -1] == 0).all()


@pytest.mark.usefixtures("as_users_have_it")
def test_the_mass_of_a_sink_is_a_sum_and_keys_count_once() -> None:
    given = weights(2, 1, 2, 3, 4)
    torch.testing.assert_close(sink_mass(given).stacked().values, given[..., 0])
    twice = sink_mass(given, [0, -1, 3]).stacked().values
    torch.testing.assert_close(twice, given[..., 0] + given[..., 3])
    with pytest.raises(IndexError, match="keys has 4, and there are 4: they go from 0 to 3"):
        sink_mass(given, [4])
    with pytest.raises(ValueError, match="at least one of keys, got none"):
        without_sink(given, [])
    with pytest.raises(TypeError, match="keys as whole numbers, got 0.5"):
        sink_mass(given, [0.5])  # type: ignore[list-item]


def test_normalizing_divides_by_the_sum_and_leaves_zeros() -> None:
    given = 3.0 * weights(2, 1, 2, 3, 4, dead=[1])
    given.requires_grad_()
    found = normalized(given).stacked().values
    torch.testing.assert_close(found[..., [0, 2], :], given[..., [0, 2], :] / 3)
    assert (found[..., 1, :] == 0).all()
    found.square().sum().backward()
    assert given.grad is not None and given.grad.isfinite().all()


def test_differences_keep_their_sign_and_half_their_sum_is_the_weight_moved() -> None:
    one, other = weights(2, 2, 3, 4, 5), weights(2, 2, 3, 4, 5, seed=1)
    found = difference(one, other)
    torch.testing.assert_close(found.stacked().values, one - other)
    torch.testing.assert_close(difference(other, one)[0].values, -found[0].values)
    moved = total_variation(one, other).stacked().values
    for place in np.ndindex(*one.shape[:4]):
        kept = sum(
            min(w, u) for w, u in zip(one[place].tolist(), other[place].tolist(), strict=True)
        )
        assert moved[place].item() == pytest.approx(1 - kept, abs=1e-12)
    assert (total_variation(one, one)[0].values == 0).all()
    with pytest.raises(ValueError, match=r"in layer 0, first has .* and second"):
        difference(one, other[..., :4])
    with pytest.raises(ValueError, match="of the same layers, got 2 and 1"):
        total_variation(one, other[:1])


def test_the_head_that_looks_there_is_found_first() -> None:
    given = [weights(2, 3, 4, 5), weights(2, 2, 4, 5, seed=1)]
    found = heads_where(given, [1, -1], [0, 2, 2], item=1, top=4)
    scores = {
        (layer, head): np.mean([[weights_of[1, head, q, [0, 2]].sum()] for q in (1, 3)])
        for layer, weights_of in enumerate(given)
        for head in range(weights_of.shape[1])
    }
    ordered = sorted(scores, key=lambda each: -scores[each])[:4]
    assert [(each.layer, each.head) for each in found] == ordered
    for each in found:
        assert each.score == pytest.approx(scores[each.layer, each.head])
    with pytest.raises(IndexError, match="queries has 4, and there are 4"):
        heads_where(given, [4], [0])
    with pytest.raises(IndexError, match="item has 2, and there are 2"):
        heads_where(given, [0], [0], item=2)
    with pytest.raises(ValueError, match="top of at least 1, got 0"):
        heads_where(given, [0], [0], top=0)
