"""The global context is pooled by attention, transformed, and added or used to scale."""

import pytest
import torch
from torch import Tensor, nn

from regard.vision import GlobalContext
from tests.tables.blocks import after_steps
from tests.vision.definition import affine, assert_is


def transformed(layers: nn.Sequential, context: Tensor) -> Tensor:
    hidden, norm = affine(layers[0], context), layers[1]
    center, spread = hidden.mean(1, keepdim=True), hidden.var(1, unbiased=False, keepdim=True)
    hidden = (hidden - center) / (spread + norm.eps).sqrt() * norm.weight + norm.bias
    return affine(layers[3], hidden.clamp_min(0))


def definition(block: GlobalContext, x: Tensor) -> Tensor:
    contexts = []
    for image in x:
        places = image.flatten(1)
        powers = [torch.exp(block.score.weight[0] @ place) for place in places.unbind(1)]
        context = sum(p * place for p, place in zip(powers, places.unbind(1), strict=True))
        contexts.append(context / sum(powers))
    context, ones, y = torch.stack(contexts), (1 for _ in x.shape[2:]), x
    shape = (*context.shape, *ones)
    if block.fusion in ("scale", "both"):
        y = y * transformed(block.scaled, context).sigmoid().reshape(shape)
    if block.fusion in ("add", "both"):
        y = y + transformed(block.added, context).reshape(shape)
    return y


@pytest.mark.parametrize("fusion", ["add", "scale", "both"])
@pytest.mark.parametrize("places", [(9,), (7, 5), (1, 1), (3, 2, 4)])
def test_it_is_its_equation(fusion: str, places: tuple[int, ...]) -> None:
    x = torch.randn(3, 8, *places)
    assert_is(after_steps(GlobalContext(8, 2, fusion), torch.randn(3, 8, 7, 5)), definition, x)


def test_few_channels_keep_units_that_a_norm_does_not_forget() -> None:
    assert GlobalContext(16).added[0].out_features == 4
    assert GlobalContext(256).added[0].out_features == 16
