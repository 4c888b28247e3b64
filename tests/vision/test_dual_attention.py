"""DANet's attentions to places and channels against their equations, in float64."""

import pytest
import torch
from torch import Tensor

from regard.vision import DualAttention, DualChannelAttention, DualPositionAttention
from tests.vision.pairwise import assert_same_with_gradients, linear, randomized

MAPS = {1: (9,), 2: (5, 4), 3: (2, 3, 4)}
every_map = pytest.mark.parametrize("places", MAPS.values(), ids=MAPS)


def by_positions(block: DualPositionAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    query, key, value = (
        linear(layer, x.flatten(2)) for layer in (block.query, block.key, block.value)
    )
    energy = torch.einsum("bcq,bck->bqk", query, key).exp()
    weights = energy / energy.sum(2, keepdim=True)
    taken = torch.einsum("bqk,bck->bcq", weights, value)
    return x + block.alpha * taken.reshape(x.shape), weights[:, None]


def by_channels(block: DualChannelAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    rows = x.flatten(2)
    energy = torch.einsum("bin,bjn->bij", rows, rows)
    top = energy.max(2, keepdim=True).values
    energy = energy if block.variant == "paper" else top - energy
    raised = (energy - energy.max(2, keepdim=True).values).exp()
    weights = raised / raised.sum(2, keepdim=True)
    taken = torch.einsum("bij,bjn->bin", weights, rows)
    return x + block.beta * taken.reshape(x.shape), weights[:, None]


def by_both(block: DualAttention, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    positions, channels = by_positions(block.position, x), by_channels(block.channel, x)
    named = {"position": positions[1], "channel": channels[1]}
    return positions[0] + channels[0] - x, named


@every_map
def test_position_attention_is_its_equation(places: tuple[int, ...]) -> None:
    block = randomized(DualPositionAttention(6, reduction=3))
    assert_same_with_gradients(block, by_positions, torch.randn(3, 6, *places).double())


@every_map
@pytest.mark.parametrize("variant", ["official", "paper"])
def test_channel_attention_is_its_equation(variant: str, places: tuple[int, ...]) -> None:
    block = randomized(DualChannelAttention(6, variant))
    assert_same_with_gradients(block, by_channels, 0.5 * torch.randn(3, 6, *places).double())


@every_map
@pytest.mark.parametrize("variant", ["official", "paper"])
def test_dual_attention_adds_both_to_the_map(variant: str, places: tuple[int, ...]) -> None:
    block = randomized(DualAttention(6, 3, variant))
    assert_same_with_gradients(block, by_both, 0.5 * torch.randn(3, 6, *places).double())


def test_the_official_channels_take_from_those_least_like_them() -> None:
    x = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.9, 0.0], [0.0, 0.0, 1.0]])[None]
    assert DualChannelAttention(3).weights(x)[0, 0, 0].argmax() == 2
    assert DualChannelAttention(3, "paper").weights(x)[0, 0, 0].argmax() == 0


def test_rows_are_those_of_all_weights() -> None:
    block, x = randomized(DualAttention(6, 3)), torch.randn(2, 6, 5, 4).double()
    every, some = block.weights(x), block.weights(x, rows=[3, -1])
    torch.testing.assert_close(some["position"], every["position"][:, :, [3, -1]])
    torch.testing.assert_close(some["channel"], every["channel"])
    alone = block.channel.weights(x, rows=slice(1, 3))
    torch.testing.assert_close(alone, every["channel"][:, :, 1:3])
