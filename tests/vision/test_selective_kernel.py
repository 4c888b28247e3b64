"""SK chooses, for each channel, how far to look."""

import pytest
import torch
from torch import Tensor

from regard.vision import SelectiveKernel
from tests.vision.definition import affine, assert_is, convolved, mean, normed


def definition(block: SelectiveKernel, x: Tensor) -> Tensor:
    looked = [
        normed(kernel[1], convolved(kernel[0], x, i, block.groups)).clamp_min(0)
        for i, kernel in enumerate(block.kernels, start=1)
    ]
    z = normed(block.norm, affine(block.squeeze, sum(mean(u) for u in looked))).clamp_min(0)
    parts = block.select.weight.chunk(block.branches, 0)
    powers = [torch.stack([part @ v for v in z]).exp() for part in parts]
    return sum(
        torch.einsum("bc,bc...->bc...", power / sum(powers), u)
        for power, u in zip(powers, looked, strict=True)
    )


@pytest.mark.parametrize(("branches", "groups"), [(1, 1), (2, 4), (3, 8)])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(branches: int, groups: int, places: tuple[int, ...]) -> None:
    block = SelectiveKernel(8, branches, groups, dims=len(places))
    assert_is(block, definition, torch.randn(4, 8, *places))


def test_the_published_sizes() -> None:
    assert SelectiveKernel(128).squeeze.out_features == 32
    assert SelectiveKernel(1024).squeeze.out_features == 64
    shares = SelectiveKernel(64).eval().weights(torch.randn(2, 64, 7, 5))
    assert shares.shape == (2, 2, 64, 1, 1)


@pytest.mark.usefixtures("as_users_have_it")
def test_groups_that_do_not_come_out_even_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="^SelectiveKernel .*40 channels.*groups=32"):
        SelectiveKernel(40)
