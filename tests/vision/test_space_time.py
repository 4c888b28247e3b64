"""Attention of videos against its equation, one place and one frame at a time, in float64."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.vision import (
    DividedSpaceTimeAttention,
    FrameAttention,
    JointSpaceTimeAttention,
    TemporalAttention,
)
from tests.vision.pairwise import assert_same_with_gradients, randomized

SHAPE = (2, 4, 3, 2, 5)


def among(layer: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What the tokens `[batch, length, channels]` are given, and their weights for each head."""
    mean, var = tokens.mean(2, keepdim=True), tokens.var(2, unbiased=False, keepdim=True)
    normed = (tokens - mean) / (var + layer.norm.eps).sqrt() * layer.norm.weight + layer.norm.bias
    query = normed @ layer.query.weight.T + layer.query.bias
    key = normed @ layer.key.weight.T
    value = normed @ layer.value.weight.T + layer.value.bias
    taken, weights = [], []
    width = tokens.shape[2] // layer.num_heads
    for h in range(layer.num_heads):
        q, k, v = (x[..., h * width : (h + 1) * width] for x in (query, key, value))
        w = (q @ k.transpose(1, 2) / math.sqrt(width)).softmax(2)
        taken.append(w @ v)
        weights.append(w)
    return torch.cat(taken, 2) @ layer.out.weight.T + layer.out.bias, torch.stack(weights, 1)


def along_time(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    added = torch.zeros_like(x)
    batch, _, time, height, width = x.shape
    weights = torch.zeros(batch, layer.num_heads, time, height, width, time, dtype=x.dtype)
    for i in range(height):
        for j in range(width):
            given, w = among(layer, x[:, :, :, i, j].transpose(1, 2))
            added[:, :, :, i, j] = given.transpose(1, 2)
            weights[:, :, :, i, j] = w
    return added, weights.flatten(2, 4)


def within_frames(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    given, weights = [], []
    for frame in x.unbind(2):
        added, w = among(layer, frame.flatten(2).transpose(1, 2))
        given.append(added.transpose(1, 2).reshape(frame.shape))
        weights.append(w)
    return torch.stack(given, 2), torch.cat(weights, 2)


def along_all(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    added, weights = among(layer, x.flatten(2).transpose(1, 2))
    return added.transpose(1, 2).reshape(x.shape), weights


ONE = {
    "temporal": (TemporalAttention, along_time),
    "frame": (FrameAttention, within_frames),
    "joint": (JointSpaceTimeAttention, along_all),
}


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("name", ONE)
def test_attention_along_axes_is_its_equation(name: str, heads: int) -> None:
    kind, defined = ONE[name]

    def definition(block: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        added, weights = defined(block.attention, x)
        return x + added, weights

    block = randomized(kind(4, heads))
    assert_same_with_gradients(block, definition, torch.randn(SHAPE).double())


@pytest.mark.parametrize("heads", [1, 2])
def test_divided_attention_goes_along_time_first(heads: int) -> None:
    def definition(block: Any, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        added, in_time = along_time(block.time, x)
        between = x + added
        added, in_space = within_frames(block.space, between)
        return between + added, {"time": in_time, "space": in_space}

    block = randomized(DividedSpaceTimeAttention(4, heads))
    assert_same_with_gradients(block, definition, torch.randn(SHAPE).double())


@pytest.mark.parametrize("kind", [kind for kind, _ in ONE.values()] + [DividedSpaceTimeAttention])
@pytest.mark.parametrize("rows", [[0, 11, -1], slice(2, 20, 3), 7, torch.tensor([29, 4])], ids=str)
def test_rows_are_those_of_all_weights(kind: Any, rows: Any) -> None:
    block, x = randomized(kind(4, 2)), torch.randn(SHAPE).double()
    every, some = block.weights(x), block.weights(x, rows=rows)
    kept = [rows] if isinstance(rows, int) else rows
    torch.testing.assert_close(
        some,
        {name: w[:, :, kept] for name, w in every.items()}
        if isinstance(every, dict)
        else every[:, :, kept],
    )


def test_a_place_knows_nothing_of_others_along_time_nor_of_other_frames() -> None:
    x = torch.randn(SHAPE).double()
    moved = x.clone()
    moved[:, 0, 1, 1, 2] += 1
    block = randomized(TemporalAttention(4, 2))
    changed = (block(moved) != block(x)).any(1)
    assert changed[:, :, 1, 2].all() and changed.sum() == 2 * 3
    block = randomized(FrameAttention(4, 2))
    changed = (block(moved) != block(x)).any(1)
    assert changed[:, 1].all() and changed.sum() == 2 * 10


def test_heads_must_share_the_channels_evenly() -> None:
    with pytest.raises(ValueError, match="TemporalAttention .*12 channels and num_heads=8"):
        TemporalAttention(12)
