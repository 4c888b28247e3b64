"""Squeeze-and-excitation is two layers between the means and the gates."""

import pytest
import torch
from torch import Tensor

from regard.vision import SqueezeExcitation, block
from tests.vision.definition import affine, assert_is, mean


def definition(block: SqueezeExcitation, x: Tensor) -> Tensor:
    gates = affine(block.excite, affine(block.squeeze, mean(x)).clamp_min(0)).sigmoid()
    return torch.einsum("bc,bc...->bc...", gates, x)


@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(places: tuple[int, ...]) -> None:
    assert_is(SqueezeExcitation(8, reduction=2), definition, torch.randn(3, 8, *places))


def test_few_channels_keep_one_unit() -> None:
    assert block("se", 8).squeeze.out_features == 1 and block("se", 64).squeeze.out_features == 4
