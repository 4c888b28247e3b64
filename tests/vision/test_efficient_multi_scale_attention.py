"""EMA lets two views of a group of channels weigh each other."""

import pytest
import torch
from torch import Tensor

from regard.vision import EfficientMultiScaleAttention
from tests.tables.blocks import after_steps
from tests.vision.definition import along, assert_is, at_places, convolved


def definition(block: EfficientMultiScaleAttention, x: Tensor) -> Tensor:
    return torch.cat([_group(block, group) for group in x.chunk(block.groups, 1)], 1)


def _group(block: EfficientMultiScaleAttention, x: Tensor) -> Tensor:
    rows = at_places(block.along, x.mean(3)).sigmoid()
    columns = at_places(block.along, x.mean(2)).sigmoid()
    one = torch.einsum("bcij,bci,bcj->bcij", x, rows, columns)
    center, spread = one.mean((2, 3), keepdim=True), one.var((2, 3), unbiased=False, keepdim=True)
    one = (one - center) / (spread + block.norm.eps).sqrt()
    one = one * along(block.norm.weight, one) + along(block.norm.bias, one)
    other = convolved(block.around, x)
    scores = torch.einsum("bc,bcij->bij", one.mean((2, 3)).softmax(1), other)
    scores = scores + torch.einsum("bc,bcij->bij", other.mean((2, 3)).softmax(1), one)
    return x * scores.sigmoid()[:, None]


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("places", [(7, 5), (1, 1), (1, 6), (8, 8)])
def test_it_is_its_equation(groups: int, places: tuple[int, ...]) -> None:
    block = after_steps(EfficientMultiScaleAttention(8, groups), torch.randn(3, 8, 7, 5))
    assert_is(block, definition, torch.randn(3, 8, *places))


@pytest.mark.usefixtures("as_users_have_it")
def test_groups_that_do_not_come_out_even_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="40 channels.*groups=32"):
        EfficientMultiScaleAttention(40)
