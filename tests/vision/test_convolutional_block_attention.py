"""CBAM gates channels by means and maxima of places, then places by those of channels."""

import pytest
import torch
from torch import Tensor

from regard.vision import CBAMChannel, CBAMSpatial, ConvolutionalBlockAttention
from tests.tables.blocks import after_steps
from tests.vision.definition import affine, assert_is, convolved, mean, normed


def channel(block: CBAMChannel, x: Tensor) -> Tensor:
    largest = torch.stack([torch.stack([c.max() for c in image]) for image in x])
    scores = [
        affine(block.excite, affine(block.squeeze, v).clamp_min(0)) for v in (mean(x), largest)
    ]
    return torch.einsum("bc,bc...->bc...", (scores[0] + scores[1]).sigmoid(), x)


def spatial(block: CBAMSpatial, x: Tensor) -> Tensor:
    pooled = torch.stack([x.max(1).values, x.sum(1) / x.shape[1]], 1)
    scores = convolved(block.convolution, pooled)
    if block.variant == "official":
        scores = normed(block.norm, scores)
    return x * scores.sigmoid()


def both(block: ConvolutionalBlockAttention, x: Tensor) -> Tensor:
    return spatial(block.spatial, channel(block.channel, x))


@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_the_gate_of_channels_is_its_equation(places: tuple[int, ...]) -> None:
    assert_is(CBAMChannel(8, reduction=2), channel, torch.randn(3, 8, *places))


@pytest.mark.parametrize("variant", ["official", "paper"])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_the_gate_of_places_is_its_equation(
    variant: str, size: int, places: tuple[int, ...]
) -> None:
    x = torch.randn(3, 8, *places)
    assert_is(after_steps(CBAMSpatial(8, size, variant, len(places)), x), spatial, x)


@pytest.mark.parametrize("variant", ["official", "paper"])
def test_one_gate_follows_the_other(variant: str) -> None:
    block, x = ConvolutionalBlockAttention(8, 2, 3, variant), torch.randn(3, 8, 7, 5)
    assert_is(after_steps(block, x), both, x)
    gates = block.eval().weights(x.double())
    torch.testing.assert_close(block(x.double()), x * gates["channels"] * gates["places"])


def test_the_published_norm_begins_at_zero_and_remembers_slowly() -> None:
    norm = ConvolutionalBlockAttention(8).spatial.norm
    assert norm.momentum == 0.01 and norm.eps == 1e-5 and not norm.weight.any()
    assert (CBAMSpatial(8).weights(torch.randn(2, 8, 7, 5)) == 0.5).all()
