"""Asymmetric non-local blocks against their equations, with the pyramid averaged bin by bin."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from regard.vision import AsymmetricFusion, AsymmetricNonLocal
from tests.vision.pairwise import assert_same_with_gradients, linear, normed, randomized

MAPS = {1: (9,), 2: (7, 5), 3: (3, 4, 5)}
every_map = pytest.mark.parametrize("places", MAPS.values(), ids=MAPS)


def pyramid(x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Bin i of n goes from the floor of i L / n to the ceiling of (i + 1) L / n."""
    means = []
    for size in sizes:
        for bins in itertools.product(range(size), repeat=x.ndim - 2):
            part = x
            for axis, i in enumerate(bins, 2):
                length = x.shape[axis]
                start, stop = i * length // size, -(-(i + 1) * length // size)
                part = part.narrow(axis, start, stop - start)
            means.append(part.flatten(2).mean(2))
    return torch.stack(means, 2)


def rectified(layer: object, x: Tensor) -> Tensor:
    return torch.relu(normed(layer.norm, linear(layer.linear, x)))


def attended(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    scores = torch.einsum("bcq,bck->bqk", query.flatten(2), key) / math.sqrt(query.shape[1])
    weights = scores.softmax(2)
    taken = torch.einsum("bqk,bck->bcq", weights, value)
    return taken.reshape(*value.shape[:2], *query.shape[2:]), weights[:, None]


def non_local(block: AsymmetricNonLocal, x: Tensor) -> tuple[Tensor, Tensor]:
    query = rectified(block.key, x)
    value = pyramid(linear(block.value, x), block.sizes)
    taken, weights = attended(query, pyramid(query, block.sizes), value)
    context = linear(block.out, taken)
    if block.join == "sum":
        return x + context, weights
    return rectified(block.joint, torch.cat([context, x], 1)), weights


def fusion(block: AsymmetricFusion, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    key = pyramid(rectified(block.key, low), block.sizes)
    value = pyramid(linear(block.value, low), block.sizes)
    taken, weights = attended(rectified(block.query, high), key, value)
    return rectified(block.joint, torch.cat([linear(block.out, taken), high], 1)), weights


@every_map
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("join", ["concat", "sum"])
def test_an_asymmetric_block_is_its_equation(
    join: str, training: bool, places: tuple[int, ...]
) -> None:
    block = randomized(AsymmetricNonLocal(6, sizes=(1, 3), join=join, dropout=0.0))
    block.train(training)
    assert_same_with_gradients(block, non_local, torch.randn(3, 6, *places).double())


@every_map
@pytest.mark.parametrize("training", [False, True])
def test_a_fusion_is_its_equation(training: bool, places: tuple[int, ...]) -> None:
    block = randomized(AsymmetricFusion(4, 6, inner=3, sizes=(1, 3), dropout=0.0))
    low = torch.randn(3, 4, *(2 * size for size in places)).double()
    block.train(training)
    assert_same_with_gradients(block, fusion, low, torch.randn(3, 6, *places).double())


def test_a_map_of_any_size_has_110_anchors() -> None:
    block = AsymmetricNonLocal(8)
    for places in ((1, 1), (7, 5), (24, 17)):
        x = torch.randn(2, 8, *places)
        assert block.weights(x).shape == (2, 1, math.prod(places), 110)


def test_a_whole_channel_is_dropped_or_none_of_it() -> None:
    block = AsymmetricNonLocal(16, dropout=0.5).train()
    y = block(torch.randn(4, 16, 5, 4)).flatten(2)
    dropped = (y == 0).all(2)
    assert 0.2 < dropped.float().mean() < 0.8
    block.drop.p = 0.0
    assert not (block(torch.randn(4, 16, 5, 4)).flatten(2) == 0).all(2).any()


def test_a_fusion_starts_with_the_high_level_map_alone() -> None:
    block = AsymmetricFusion(4, 6, inner=3).eval()
    high = torch.randn(2, 6, 5, 4)
    first, second = (block(torch.randn(2, 4, 9, 8), high) for _ in range(2))
    assert torch.equal(first, second)


def test_rows_are_those_of_all_weights() -> None:
    block, x = randomized(AsymmetricNonLocal(6)).eval(), torch.randn(2, 6, 7, 5).double()
    torch.testing.assert_close(block.weights(x, rows=[0, 8]), block.weights(x)[:, :, [0, 8]])
    fused = randomized(AsymmetricFusion(6, 6, 3)).eval()
    some, every = fused.weights(x, x, rows=slice(5)), fused.weights(x, x)
    torch.testing.assert_close(some, every[:, :, :5])


@pytest.mark.usefixtures("as_users_have_it")
def test_what_a_fusion_cannot_read_is_said_in_one_sentence() -> None:
    block = AsymmetricFusion(4, 6, inner=3)
    low, high = torch.randn(2, 4, 9, 8), torch.randn(2, 6, 5, 4)
    with pytest.raises(ValueError, match=r"AsymmetricFusion .* 6 channels, got 4"):
        block(low, low)
    with pytest.raises(ValueError, match=r"one batch, got 1 low-level and 2 high-level"):
        block(low[:1], high)
    with pytest.raises(ValueError, match=r"AsymmetricFusion .*one value .*eval\(\)"):
        block.train()(low[:1], high[:1, :, :1, :1])
    with pytest.raises(ValueError, match="whole inner of at least 1, got 0"):
        AsymmetricFusion(4, 6, inner=0)
    for sizes in ((), (0, 1), "1368", 3):
        with pytest.raises(ValueError, match="sizes"):
            AsymmetricFusion(4, 6, sizes=sizes)
    for dropout in (1.0, -0.1, True, "0"):
        with pytest.raises(ValueError, match="dropout from 0"):
            AsymmetricNonLocal(4, dropout=dropout)
