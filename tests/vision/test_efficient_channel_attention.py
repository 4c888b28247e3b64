"""ECA asks a channel's neighbours, as many as the paper's formula says."""

import pytest
import torch
from torch import Tensor

from regard.vision import EfficientChannelAttention
from regard.vision.efficient_channel_attention import kernel_size_for
from tests.vision.definition import assert_is, mean


def definition(block: EfficientChannelAttention, x: Tensor) -> Tensor:
    kernel, means = block.convolution.weight.flatten(), mean(x)
    half, scores = len(kernel) // 2, torch.zeros_like(means)
    for c in range(x.shape[1]):
        for offset in range(-half, half + 1):
            if 0 <= c + offset < x.shape[1]:
                scores[:, c] += kernel[offset + half] * means[:, c + offset]
    return torch.einsum("bc,bc...->bc...", scores.sigmoid(), x)


@pytest.mark.parametrize("size", [None, 1, 5, 9])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(size: int | None, places: tuple[int, ...]) -> None:
    assert_is(EfficientChannelAttention(8, size), definition, torch.randn(3, 8, *places))


def test_the_formula_gives_the_sizes_of_the_paper() -> None:
    sizes = {64: 3, 128: 5, 256: 5, 512: 5, 1024: 5, 2048: 7}
    assert {channels: kernel_size_for(channels) for channels in sizes} == sizes
    # With 16 to 63 channels t is 2, which is even, or cut to it.
    assert {kernel_size_for(channels) for channels in range(8, 128)} == {3}
    assert all(kernel_size_for(channels) % 2 for channels in range(1, 5000))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("size", [0, 2, -3, 1.5, True, "3"])
def test_a_kernel_without_a_middle_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match="^EfficientChannelAttention .*kernel_size"):
        EfficientChannelAttention(8, size)
