"""GSoP makes a gate of how a channel, or a place, varies with every other."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from regard.vision import GlobalSecondOrderPooling, SpatialSecondOrderPooling
from tests.vision.definition import affine, assert_is, at_places, normed


def varied(rows: Tensor) -> Tensor:
    """Of every two rows, value by value."""
    n = rows.shape[1]
    centered = [row - row.sum() / n for row in rows]
    return torch.stack([torch.stack([(a * b).sum() / n for b in centered]) for a in centered])


def of_rows(layers: torch.nn.Module, matrices: Tensor, rectified: bool) -> Tensor:
    matrices = normed(layers.norm, matrices)
    rows = matrices.shape[1]
    weight, bias = layers.each.weight.squeeze(1), layers.each.bias
    numbers = [
        torch.stack([weight[i] @ matrix[i // (len(bias) // rows)] for i in range(len(bias))]) + bias
        for matrix in matrices
    ]
    made = torch.stack(numbers)
    return affine(layers.all, made.clamp_min(0) if rectified else made)


def channels(block: GlobalSecondOrderPooling, x: Tensor) -> Tensor:
    y = normed(block.norm, at_places(block.reduce, x.clamp_min(0))).clamp_min(0)
    matrices = torch.stack([varied(image.flatten(1)) for image in y])
    return torch.einsum("bc,bc...->bc...", of_rows(block.rows, matrices, False).sigmoid(), x)


def places(block: SpatialSecondOrderPooling, x: Tensor) -> Tensor:
    y = normed(block.norm, at_places(block.reduce, x.clamp_min(0)))
    y = adaptive_avg_pool2d(y, block.size)
    matrices = torch.stack([varied(image.flatten(1).T) for image in y])
    gates = of_rows(block.rows, matrices, True).sigmoid()
    gates = gates.reshape(-1, 1, block.size, block.size)
    return x * adaptive_avg_pool2d(gates, x.shape[2:])


@pytest.mark.parametrize("dim", [1, 6, 12])
@pytest.mark.parametrize("size", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_the_gate_of_channels_is_its_equation(dim: int, size: tuple[int, ...]) -> None:
    assert_is(GlobalSecondOrderPooling(8, dim), channels, torch.randn(3, 8, *size))


@pytest.mark.parametrize("size", [(7, 5), (1, 1), (1, 6), (8, 8)])
def test_the_gate_of_places_is_its_equation(size: tuple[int, ...]) -> None:
    assert_is(SpatialSecondOrderPooling(8, 6, size=3), places, torch.randn(3, 8, *size))


def test_the_published_sizes() -> None:
    block = GlobalSecondOrderPooling(256)
    assert block.dim == 128 and block.rows.each.weight.shape == (512, 1, 128)
    assert SpatialSecondOrderPooling(256).rows.each.weight.shape == (256, 1, 64)
