"""Split attention weighs splits that saw different channels."""

import pytest
import torch
from torch import Tensor

from regard.vision import SplitAttention
from tests.vision.definition import assert_is, convolved, mean, normed


def grouped(layer: torch.nn.Module, vectors: Tensor, groups: int) -> Tensor:
    weights, biases = layer.weight.squeeze(2).chunk(groups, 0), layer.bias.chunk(groups, 0)
    shared = zip(weights, vectors.chunk(groups, 1), biases, strict=True)
    return torch.cat([torch.stack([w @ one for one in v]) + b for w, v, b in shared], 1)


def definition(block: SplitAttention, x: Tensor) -> Tensor:
    layers, radix, groups, channels = block.splits, block.radix, block.groups, block.channels
    seen = normed(layers[1], convolved(layers[0], x, groups=groups * radix)).clamp_min(0)
    splits = [seen[:, i * channels : (i + 1) * channels] for i in range(radix)]
    z = normed(block.norm, grouped(block.squeeze, sum(mean(u) for u in splits), groups))
    scores = grouped(block.select, z.clamp_min(0), groups)
    y = torch.zeros_like(x)
    for c in range(channels):
        group, within = divmod(c, channels // groups)
        # Of a group's scores the first are all for the first split.
        at = [(group * radix + i) * (channels // groups) + within for i in range(radix)]
        shares = scores[:, at].softmax(1) if radix > 1 else scores[:, at].sigmoid()
        for i, u in enumerate(splits):
            y[:, c] += shares[:, i].reshape(-1, *(1 for _ in x.shape[2:])) * u[:, c]
    return y


@pytest.mark.parametrize(("radix", "groups"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 2)])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(radix: int, groups: int, places: tuple[int, ...]) -> None:
    block = SplitAttention(8, radix, groups, dims=len(places))
    assert_is(block, definition, torch.randn(4, 8, *places))


def test_the_hidden_layer_has_32_units_at_least_and_comes_out_even() -> None:
    assert SplitAttention(32).squeeze.out_channels == 32
    assert SplitAttention(256).squeeze.out_channels == 128
    assert SplitAttention(48, radix=2, groups=12).squeeze.out_channels == 36


@pytest.mark.usefixtures("as_users_have_it")
def test_channels_that_do_not_come_out_even_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"^SplitAttention .*6 channels.*groups \* radix=4"):
        SplitAttention(6, radix=2, groups=2)
