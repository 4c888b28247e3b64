"""BAM scores channels and places side by side, and adds or multiplies the scores."""

import pytest
import torch
from torch import Tensor

from regard.vision import BottleneckAttention
from tests.vision.definition import affine, assert_is, convolved, mean, normed


def definition(block: BottleneckAttention, x: Tensor) -> Tensor:
    official, channels, places = block.variant == "official", block.of_channels, block.of_places
    of_channels = affine(channels[0], mean(x))
    if official:
        of_channels = normed(channels[1], of_channels)
    of_channels = affine(channels[3], of_channels.clamp_min(0))
    of_places = x
    for i, dilation in ((0, 1), (3, block.dilation), (6, block.dilation)):
        of_places = convolved(places[i], of_places, dilation)
        if official:
            of_places = normed(places[i + 1], of_places)
        of_places = of_places.clamp_min(0)
    of_places = convolved(places[9], of_places)
    if not official:
        of_channels = normed(channels[4], of_channels)
        of_places = normed(places[10], of_places)
    of_channels = of_channels.reshape(*of_channels.shape, *(1 for _ in x.shape[2:]))
    scores = of_channels * of_places if official else of_channels + of_places
    return x + x * scores.sigmoid()


@pytest.mark.parametrize("variant", ["official", "paper"])
@pytest.mark.parametrize("dilation", [1, 4])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(variant: str, dilation: int, places: tuple[int, ...]) -> None:
    block = BottleneckAttention(8, 2, dilation, variant, len(places))
    assert_is(block, definition, torch.randn(4, 8, *places))


def test_a_place_is_seen_from_eight_away_and_no_further() -> None:
    """Two dilations of 4: the map is as large behind them, and a place is reached through both."""
    block = BottleneckAttention(4, 1, variant="paper").eval()
    x = torch.randn(1, 4, 21, 21).requires_grad_()
    score = block.of_places(x)[0, 0, 10, 10]
    (gradient,) = torch.autograd.grad(score, x)
    rows = gradient[0].abs().sum((0, 2)).nonzero().flatten() - 10
    assert rows.tolist() == [-8, -4, 0, 4, 8]
