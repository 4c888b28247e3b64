"""Coordinate attention gates rows and columns by the means along them."""

import pytest
import torch
from torch import Tensor

from regard.vision import CoordinateAttention
from tests.vision.definition import assert_is, at_places, normed


def definition(block: CoordinateAttention, x: Tensor) -> Tensor:
    rows = torch.stack([x[:, :, i].mean(2) for i in range(x.shape[2])], 2)
    columns = torch.stack([x[:, :, :, j].mean(2) for j in range(x.shape[3])], 2)
    y = normed(block.norm, at_places(block.squeeze, torch.cat([rows, columns], 2)))
    y = y * (y + 3).clamp(0, 6) / 6
    g_rows = at_places(block.rows, y[:, :, : x.shape[2]]).sigmoid()
    g_columns = at_places(block.columns, y[:, :, x.shape[2] :]).sigmoid()
    return torch.einsum("bcij,bci,bcj->bcij", x, g_rows, g_columns)


@pytest.mark.parametrize("places", [(7, 5), (1, 1), (1, 6), (8, 8)])
def test_it_is_its_equation(places: tuple[int, ...]) -> None:
    assert_is(CoordinateAttention(8, reduction=2), definition, torch.randn(3, 8, *places))


def test_the_hidden_layer_has_eight_units_at_least() -> None:
    assert CoordinateAttention(64).squeeze.out_channels == 8
    assert CoordinateAttention(512).squeeze.out_channels == 16
