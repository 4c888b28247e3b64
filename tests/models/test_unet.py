"""The U-Net: a plain definition, sizes that are no power of two, and published counts."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, max_pool2d, relu

from regard.models.unet import UNet, UNetConfig
from regard.vision import AttentionGate
from tests.models.test_resnet import moved
from tests.tolerance import assert_close_to_golden


def small(**changes: Any) -> Any:
    config = UNetConfig.from_entries({"classes": 3, "depth": 2, "width": 4, **changes})
    return moved(UNet(config)).double().eval()


def test_it_is_its_plain_definition() -> None:
    model, images = small(), torch.randn(2, 3, 12, 8, dtype=torch.float64)

    def conv(layer: Any, x: Tensor) -> Tensor:
        x, norm = conv2d(x, layer.conv.weight, padding=1), layer.norm
        mean, var = (t[:, None, None] for t in (norm.running_mean, norm.running_var))
        gain, bias = (t[:, None, None] for t in (norm.weight, norm.bias))
        return relu((x - mean) / (var + norm.eps).sqrt() * gain + bias)

    def twice(layers: Any, x: Tensor) -> Tensor:
        return conv(layers.second, conv(layers.first, x))

    one = twice(model.down[0], images)
    two = twice(model.down[1], max_pool2d(one, 2))
    x = twice(model.down[2], max_pool2d(two, 2))
    for upwards, skipped in zip(model.up, (two, one), strict=True):
        larger = conv_transpose2d(x, upwards.larger.weight, upwards.larger.bias, stride=2)
        x = twice(upwards.convolutions, torch.cat([skipped, larger], 1))
    wanted = conv2d(x, model.output.weight, model.output.bias)
    assert_close_to_golden(model(images), wanted, wanted, what="logits")


def test_a_gate_passes_what_the_coarser_map_asks_for() -> None:
    model, images = small(gates=True, depth=1), torch.randn(2, 3, 8, 8, dtype=torch.float64)
    fine = model.down[0](images)
    coarse = model.down[1](max_pool2d(fine, 2))
    (upwards,) = model.up
    assert isinstance(upwards.gate, AttentionGate)
    passed = fine * upwards.gate.weights(fine, coarse)
    x = upwards.convolutions(torch.cat([passed, upwards.larger(coarse)], 1))
    wanted = model.output(x)
    assert_close_to_golden(model(images), wanted, wanted, what="logits")
    gates = model.gates(images)
    assert [each.shape for each in small(gates=True).gates(images)] == [
        *[(2, 1, 4, 4), (2, 1, 8, 8)],
    ]
    assert torch.equal(gates[0], upwards.gate.weights(fine, coarse))
    assert small().gates(images) == []


@pytest.mark.parametrize("size", [(1, 1), (5, 12), (9, 7), (16, 16)])
def test_images_of_any_size_have_a_class_for_each_pixel(size: tuple[int, int]) -> None:
    model, images = small(), torch.randn(2, 3, *size, dtype=torch.float64)
    found = model(images)
    assert found.shape == (2, 3, *size) and found.isfinite().all()
    whole = torch.zeros(2, 3, *(n + -n % 4 for n in size), dtype=torch.float64)
    whole[:, :, : size[0], : size[1]] = images
    torch.testing.assert_close(found, model(whole)[:, :, : size[0], : size[1]])


def test_the_papers_sizes_have_as_many_convolutions() -> None:
    with torch.device("meta"):
        model = UNet(UNetConfig(classes=2, channels=1))
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    assert sum(isinstance(each, kinds) for each in model.modules()) == 23
    assert [each.second.conv.out_channels for each in model.down] == [64, 128, 256, 512, 1024]


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[batch, 3 channels, height, width\], got \[2, 1, 8"):
        small()(torch.randn(2, 1, 8, 8))
    with pytest.raises(ValueError, match="depth must be at least 1 and at most 8, got 9"):
        UNetConfig(classes=2, depth=9)
