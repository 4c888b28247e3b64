"""DANet: plain definitions of its backbone and its head, and what each part adds to the loss."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, relu

from regard.errors import CheckpointMismatch
from regard.models.danet import DANet, DANetConfig, from_published, to_published
from regard.models.resnet import ImageNet
from regard.models.resnet.config import Cifar
from regard.models.resnet.stages import ResidualStages
from regard.tasks.segment.loss import dice_loss, pixel_loss
from regard.vision import DualChannelAttention, DualPositionAttention
from tests.models.test_resnet import moved
from tests.peers.peer import module_of
from tests.tables.tasks import ROWS
from tests.tolerance import assert_close_to_golden

SHAPES = {
    "cifar": (Cifar(depth=14, width=4), 2),
    "projection": (Cifar(depth=8, width=4, shortcut="projection"), 1),
    "basic": (ImageNet(depth=18, width=3), 2),
    "bottleneck": (ImageNet(depth=50, width=2), 3),
}


def small(**changes: Any) -> Any:
    entries = {"classes": 3, "shape": "imagenet(depth=18, width=8)", **changes}
    model = moved(DANet(DANetConfig.from_entries(entries))).double()
    for branch in (model.position, model.channel):
        for name, weight in branch.attention.named_parameters():
            if name in ("alpha", "beta"):
                nn.init.constant_(weight, 0.7)
    return model.eval()


def images(*size: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 3, *size, dtype=torch.float64)


@pytest.mark.parametrize(("shape", "dilated"), SHAPES.values(), ids=SHAPES)
def test_dilated_stages_have_what_strides_leave_and_more(shape: Any, dilated: int) -> None:
    dense = moved(ResidualStages(3, shape, dilated=dilated)).double().eval()
    strided = ResidualStages(3, shape).double().eval()
    strided.load_state_dict(dense.state_dict())
    x = images(70, 57)
    for number, (one, other) in enumerate(zip(dense.maps(x), strided.maps(x), strict=True)):
        step = 2 ** max(0, number - (len(shape.blocks) - dilated) + 1)
        assert_close_to_golden(one[:, :, ::step, ::step], other, other, what=f"stage {number}")
        if step > 1:
            assert one.shape[2] > other.shape[2]


def test_the_papers_maps_are_eight_times_smaller_and_its_head_has_512_channels() -> None:
    with torch.device("meta"):
        model = DANet(DANetConfig(classes=19))
        found = model.backbone.maps(torch.empty(1, 3, 64, 128))
    assert [each.shape[1:] for each in found] == [
        *[(256, 16, 32), (512, 8, 16), (1024, 8, 16), (2048, 8, 16)],
    ]
    assert model.config.head_width == model.output.in_channels == 512
    dilations = {
        name: module.dilation[0]
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    }
    stages = [[dilations[f"stages.{s}.blocks.{n}.layers.1.conv"] for n in (0, 1)] for s in range(4)]
    assert stages == [[1, 1], [1, 1], [1, 2], [2, 4]]


def by_the_book(model: Any, x: Tensor, read: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logits of the sum and of both branches, from the last maps."""

    def conv(layer: Any, x: Tensor) -> Tensor:
        x, norm = conv2d(x, layer.conv.weight, padding=1), layer.norm
        mean, var = (t[:, None, None] for t in (norm.running_mean, norm.running_var))
        gain, bias = (t[:, None, None] for t in (norm.weight, norm.bias))
        return relu((x - mean) / (var + norm.eps).sqrt() * gain + bias)

    places = conv(model.position.before, read)
    if model.config.position:
        flat, block = places.flatten(2), model.position.attention
        query, key, value = (
            torch.einsum("oc, bcn -> bon", layer.weight, flat)
            + (0 if layer.bias is None else layer.bias[:, None])
            for layer in (block.query, block.key, block.value)
        )
        energy = torch.einsum("bcn, bcm -> bnm", query, key)
        taken = torch.einsum("bnm, bcm -> bcn", energy.softmax(-1), value)
        places = places + block.alpha * taken.reshape(places.shape)
    channels = conv(model.channel.before, read)
    if model.config.channel:
        flat = channels.flatten(2)
        energy = torch.einsum("bcn, bdn -> bcd", flat, flat)
        apart = energy.amax(-1, keepdim=True) - energy
        taken = torch.einsum("bcd, bdn -> bcn", apart.softmax(-1), flat)
        channels = channels + model.channel.attention.beta * taken.reshape(channels.shape)
    places, channels = conv(model.position.behind, places), conv(model.channel.behind, channels)

    def classes(layer: Any, maps: Tensor) -> Tensor:
        small = torch.einsum("oc, bchw -> bohw", layer.weight[:, :, 0, 0], maps)
        small = small + layer.bias[:, None, None]
        return interpolate(small, x.shape[2:], mode="bilinear")

    return (
        classes(model.output, places + channels),
        classes(model.position_output, places),
        classes(model.channel_output, channels),
    )


@pytest.mark.parametrize("channel", [True, False])
@pytest.mark.parametrize("position", [True, False])
def test_the_head_is_its_plain_definition(position: bool, channel: bool) -> None:
    model, x = small(position=position, channel=channel), images(41, 50)
    logits, branches = model.forward_branches(x)
    found = [logits, *(each for each, _ in branches)]
    assert torch.equal(model(x), logits)
    wanted = by_the_book(model, x, model.backbone.maps(x)[-1])
    weights = [w for name, w in model.named_parameters() if not name.startswith("backbone")]
    for name, one, other in zip(("sum", "position", "channel"), found, wanted, strict=True):
        assert_close_to_golden(one, other, other, what=name)
        grads = [
            torch.autograd.grad(each.square().sum(), weights, allow_unused=True, retain_graph=True)
            for each in (one, other)
        ]
        for mine, theirs in zip(*grads, strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None:
                assert_close_to_golden(mine, theirs, theirs, what=f"gradient of {name}")


def test_an_attention_that_is_left_out_leaves_its_convolutions() -> None:
    both, none = small(), small(position=False, channel=False)
    assert isinstance(both.position.attention, DualPositionAttention)
    assert isinstance(both.channel.attention, DualChannelAttention)
    assert {*none.state_dict()} == {k for k in both.state_dict() if ".attention." not in k}
    assert none.weights(images(33, 33)) == {}


def test_weights_are_those_of_the_maps_that_the_attentions_read() -> None:
    model, x = small(), images(40, 33)
    found = model.weights(x)
    assert {name: [*each.shape] for name, each in found.items()} == {
        "position": [2, 1, 25, 25],
        "channel": [2, 1, 16, 16],
    }
    for each in found.values():
        torch.testing.assert_close(each.sum(-1), torch.ones_like(each.sum(-1)))
        assert not each.requires_grad
    torch.testing.assert_close(model.weights(x, [3])["position"], found["position"][:, :, [3]])


def test_every_output_teaches_as_much_as_is_said_and_one_loss_is_told() -> None:
    row = ROWS["segment"]
    shape = {"shape": "cifar(depth=8, width=4)", "dropout": 0.0}
    counts = {"position_loss": 0.25, "channel_loss": 2.0}
    row = replace(row, network=("danet", {**shape, **counts}))
    task = row.made(Path(), row.made_settings(dice=0.5))
    model = task.model.eval()
    batch = task.batch("train", torch.arange(6).numpy())
    weights = [*model.parameters()]

    def loss(logits: Tensor) -> Tensor:
        known = (batch.mask >= 0).flatten(1).any(1)
        both = pixel_loss(logits, batch.mask) + 0.5 * dice_loss(logits, batch.mask)
        return (both * known).sum()

    logits, ((places, one), (channels, two)) = model.forward_branches(batch.images)
    assert (one, two) == (0.25, 2.0)
    told = task.loss(batch)
    torch.testing.assert_close(told, loss(logits))
    wanted = torch.autograd.grad(
        loss(logits) + 0.25 * loss(places) + 2.0 * loss(channels), weights, allow_unused=True
    )
    for found, other in zip(torch.autograd.grad(told, weights), wanted, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (5, 12), (33, 8)])
def test_images_of_any_size_have_a_class_for_each_pixel(size: tuple[int, int]) -> None:
    found = small()(images(*size))
    assert found.shape == (2, 3, *size) and found.isfinite().all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[batch, 3 channels, height, width\], got \[2, 1, 8"):
        small()(torch.randn(2, 1, 8, 8))
    with pytest.raises(ValueError, match="dilated must be at most 2.*cifar have a stride; got 3"):
        DANetConfig(classes=2, shape=Cifar(), dilated=3)
    with pytest.raises(ValueError, match="at least 0 and at most 2.*got 3"):
        ResidualStages(3, Cifar(), dilated=3)


@pytest.mark.slow
def test_it_learns_which_half_is_bright() -> None:
    torch.manual_seed(0)
    model = DANet(DANetConfig(classes=2, shape=Cifar(depth=8, width=8), dilated=1))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    mask = torch.randint(0, 2, (64, 4, 4)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    pictures = mask[:, None] + 0.5 * torch.randn(64, 3, 16, 16)
    for step in range(60):
        rows = torch.arange(16) + 16 * (step % 3)
        logits, branches = model.forward_branches(pictures[rows])
        loss = sum(
            counts * pixel_loss(each, mask[rows]).mean()
            for each, counts in [(logits, 1), *branches]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = model.eval()(pictures[48:]).argmax(1) == mask[48:]
    assert right.float().mean() > 0.9
    assert model.position.attention.alpha.item() != 0 != model.channel.attention.beta.item()


def theirs(deep: bool) -> Any:
    """pytorchcv's DANet with 50 layers, 16 times narrower than the published one."""
    danet = module_of("pytorchcv.models.danet")
    channels = [[16] * 3, [32] * 4, [64] * 6, [128] * 3]
    backbone = module_of("pytorchcv.models.resnetd").ResNetD(
        channels, 4, True, False, ordinary_init=not deep, bends=(3,)
    )
    del backbone.features[-1]
    return moved(
        danet.DANet(backbone.features, 128, aux=True, fixed_size=False, num_classes=5)
    ).double()


@pytest.mark.parametrize("deep", [False, True])
def test_pytorchcvs_weights_give_its_outputs_and_come_back(deep: bool) -> None:
    other = theirs(deep).eval()
    model = from_published(other.state_dict()).double()
    assert model.config.shape == ImageNet(depth=50, width=4, stem="deep" if deep else "plain")
    x = images(64, 48)
    logits, branches = model.forward_branches(x)
    for found, wanted in zip((logits, *(b for b, _ in branches)), other(x), strict=True):
        assert_close_to_golden(found, wanted, wanted, what="logits")
    state, again = other.state_dict(), to_published(model)
    unused = "head.branch_pa.att.key_conv.bias"
    assert again.keys() == state.keys() and again.pop(unused).count_nonzero() == 0
    assert all(torch.equal(tensor, state[name].to(tensor)) for name, tensor in again.items())


def authors(width: int = 4) -> dict[str, tuple[int, ...]]:
    """Names and shapes as in the authors' network of 50 layers, without its counts."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(conv: str, norm: str, out: int, inputs: int, kernel: int) -> None:
        found[f"{conv}.weight"] = (out, inputs, kernel, kernel)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{leaf}"] = (out,)

    stem = ("conv1.0", "conv1.1", width, 3), ("conv1.3", "conv1.4", width, width)
    for conv, norm, out, inputs in (*stem, ("conv1.6", "bn1", 2 * width, width)):
        layer(f"pretrained.{conv}", f"pretrained.{norm}", out, inputs, 3)
    inputs = 2 * width
    for stage, count in enumerate((3, 4, 6, 3)):
        narrow = width * 2**stage
        for number in range(count):
            at = f"pretrained.layer{stage + 1}.{number}"
            layer(f"{at}.conv1", f"{at}.bn1", narrow, inputs, 1)
            layer(f"{at}.conv2", f"{at}.bn2", narrow, narrow, 3)
            layer(f"{at}.conv3", f"{at}.bn3", 4 * narrow, narrow, 1)
            if number == 0:
                layer(f"{at}.downsample.0", f"{at}.downsample.1", 4 * narrow, inputs, 1)
            inputs = 4 * narrow
    found |= {"pretrained.fc.weight": (9, inputs), "pretrained.fc.bias": (9,)}
    middle = inputs // 4
    for name, wide in (("5a", inputs), ("5c", inputs), ("51", middle), ("52", middle)):
        layer(f"head.conv{name}.0", f"head.conv{name}.1", middle, wide, 3)
    for name, out in (("query", middle // 8), ("key", middle // 8), ("value", middle)):
        found |= {f"head.sa.{name}_conv.weight": (out, middle, 1, 1)}
        found |= {f"head.sa.{name}_conv.bias": (out,)}
    found |= {"head.sa.gamma": (1,), "head.sc.gamma": (1,)}
    for name in ("conv6.1", "conv7.1", "conv8.1"):
        found |= {f"head.{name}.weight": (5, middle, 1, 1), f"head.{name}.bias": (5,)}
    return found


def test_the_authors_names_are_pytorchcvs_other_names() -> None:
    torch.manual_seed(2)
    state = {
        name: 0.5 + torch.rand(shape) if "var" in name else 0.1 * torch.randn(shape)
        for name, shape in authors().items()
    }
    model = from_published(state)
    again = to_published(model, "authors")
    kept = {name for name in again if not name.endswith(("tracked", "key_conv.bias"))}
    assert all(torch.equal(again[name], state[name]) for name in kept)
    assert state.keys() - kept == {
        *("pretrained.fc.weight", "pretrained.fc.bias", "head.sa.key_conv.bias")
    }
    other = from_published(to_published(model, "pytorchcv"))
    assert torch.equal(other(images(40, 32)), model(images(40, 32)))
    with pytest.warns(UserWarning, match=r"are those of checkpoint\['state_dict'\], names without"):
        wrapped = from_published({"state_dict": {f"module.{n}": t for n, t in state.items()}})
    assert torch.equal(wrapped(images(40, 32)), model(images(40, 32)))


def test_a_grid_is_the_dilations_of_the_last_stage() -> None:
    shape = ImageNet(depth=50, width=2, stem="deep")
    model = DANet(DANetConfig(classes=3, shape=shape, grid=(4, 8, 16)))
    convs = [block.layers[1].conv for block in model.backbone.stages[3].blocks]
    assert [conv.dilation[0] for conv in convs] == [4, 8, 16]
    assert from_published(to_published(model), model.config).config == model.config
    with pytest.raises(ValueError, match=r"grid \[2\] is of the last stage where it is dilated"):
        DANetConfig(classes=2, grid=(2,), dilated=0)


def test_weights_of_other_networks_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="of no DANet that is known .*; there is conv1.weight"):
        from_published({"conv1.weight": torch.zeros(1)})
    state = {name: torch.zeros(shape) for name, shape in authors().items()}
    del state["head.conv51.1.bias"]
    state |= {"head.conv6.1.bias": torch.zeros(4), "head.jpu.weight": torch.zeros(1)}
    with pytest.raises(CheckpointMismatch) as caught:
        from_published(state)
    assert caught.value.missing == ["head.conv51.1.bias"]
    assert caught.value.unexpected == ["head.jpu.weight"]
    assert caught.value.wrong_shaped == {"head.conv6.1.bias": ([4], [5])}
    with pytest.raises(ValueError, match="published networks have both attentions"):
        to_published(small(position=False))
