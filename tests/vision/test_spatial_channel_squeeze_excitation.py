"""scSE gates channels and places at once; the two results are added, or the larger taken."""

import pytest
import torch
from torch import Tensor

from regard.vision import SpatialChannelSqueezeExcitation
from tests.vision.definition import affine, assert_is, at_places, mean


def definition(block: SpatialChannelSqueezeExcitation, x: Tensor) -> Tensor:
    gates = affine(block.excite, affine(block.squeeze, mean(x)).clamp_min(0)).sigmoid()
    one = torch.einsum("bc,bc...->bc...", gates, x)
    other = x * at_places(block.place, x).sigmoid()
    return one + other if block.variant == "paper" else torch.where(one > other, one, other)


@pytest.mark.parametrize("variant", ["paper", "official"])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(variant: str, places: tuple[int, ...]) -> None:
    block = SpatialChannelSqueezeExcitation(8, variant=variant)
    assert_is(block, definition, torch.randn(3, 8, *places))
