"""Residual networks: published sizes, a plain definition, and torchvision's names both ways."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from regard.errors import CheckpointMismatch
from regard.models.resnet import ResNet, cifar, from_torchvision, imagenet, to_torchvision
from regard.models.resnet.config import Cifar, ImageNet, ResNetConfig
from regard.models.resnet.convert import rules
from regard.models.resnet.layers import ConvNorm, Instead, ResidualBlock
from regard.models.resnet.places import OF_VIDEO, place_of
from regard.vision import BLOCKS, SqueezeExcitation
from regard.vision import block as vision_block
from tests.tolerance import assert_close_to_golden

PARAMETERS = {
    18: 11_689_512,
    34: 21_797_672,
    50: 25_557_032,
    101: 44_549_160,
    152: 60_192_808,
}
"""Of torchvision's networks with 1000 labels."""


class TorchvisionBlock(nn.Module):
    """A residual block wired as torchvision publishes it, with its names."""

    def __init__(self, channels: int, width: int, stride: int, deep: bool) -> None:
        super().__init__()
        wider = 4 * width if deep else width
        sizes = (
            [(channels, width, 1, 1), (width, width, 3, stride), (width, wider, 1, 1)]
            if deep
            else [(channels, width, 3, stride), (width, width, 3, 1)]
        )
        for number, (a, b, kernel, step) in enumerate(sizes, 1):
            conv = nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{number}", conv)
            setattr(self, f"bn{number}", nn.BatchNorm2d(b))
        self.count, self.downsample = len(sizes), None
        if stride != 1 or channels != wider:
            conv = nn.Conv2d(channels, wider, 1, stride, bias=False)
            self.downsample: Any = nn.Sequential(conv, nn.BatchNorm2d(wider))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for number in range(1, self.count + 1):
            out = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(out))
            out = relu(out) if number < self.count else out
        return relu(out + (x if self.downsample is None else self.downsample(x)))


class Torchvision(nn.Module):
    """A residual network wired as torchvision publishes it, with its names."""

    def __init__(self, counts: tuple[int, ...], deep: bool, width: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = width
        for stage, count in enumerate(counts):
            blocks = []
            for number in range(count):
                stride = 2 if stage and not number else 1
                blocks.append(TorchvisionBlock(channels, width * 2**stage, stride, deep))
                channels = width * 2**stage * (4 if deep else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages, self.fc = len(counts), nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(relu(self.bn1(self.conv1(x))))
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(torch.flatten(nn.AdaptiveAvgPool2d(1)(x), 1))


def moved(model: Any, seed: int = 0) -> Any:
    """With statistics that are none of a new network."""
    torch.manual_seed(seed)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0)
    for weight in model.parameters():
        if weight.ndim == 1:
            nn.init.uniform_(weight, -0.5, 1.5)
    return model


@pytest.mark.parametrize("depth", PARAMETERS)
def test_the_published_networks_have_as_many_weights(depth: int) -> None:
    with torch.device("meta"):
        model = ResNet(imagenet(depth))
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[depth]


@pytest.mark.parametrize(
    ("depth", "thousands"), [(20, 270), (32, 464), (44, 659), (56, 853), (110, 1728)]
)
def test_the_networks_for_small_pictures_have_as_many_weights(depth: int, thousands: int) -> None:
    with torch.device("meta"):
        model = ResNet(cifar(depth))
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1000) == thousands
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules()) == depth


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvisions_weights_give_torchvisions_logits_and_gradients(depth: int) -> None:
    shape = ImageNet(depth=depth, width=4)
    theirs = moved(Torchvision(shape.blocks, shape.bottleneck, 4, 5)).double().eval()
    ours = from_torchvision(theirs.state_dict(), None).double()
    assert ours.config == ResNetConfig(classes=5, shape=shape)
    images = torch.randn(2, 3, 64, 75, dtype=torch.float64)
    one, other = images.clone().requires_grad_(), images.clone().requires_grad_()
    wanted, found = theirs(one), ours(other)
    assert_close_to_golden(found, wanted, wanted, what="logits")
    wanted.square().sum().backward()
    found.square().sum().backward()
    assert_close_to_golden(other.grad, one.grad, one.grad, what="images", gradient=True)
    by_name, mine = dict(theirs.named_parameters()), dict(ours.named_parameters())
    for rule in rules(ours.config):
        if rule.ours in mine:
            want, (name,) = by_name[rule.theirs[0]].grad, rule.theirs
            assert_close_to_golden(mine[rule.ours].grad, want, want, what=name, gradient=True)


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("block", [None, "se(reduction=4)", "se(reduction=16, at_least=3)"])
def test_names_go_both_ways_to_the_bit(depth: int, block: str | None) -> None:
    config = ResNetConfig(classes=3, shape=ImageNet(depth=depth, width=8), block=block)
    model = moved(ResNet(config))
    theirs = to_torchvision(model)
    reference = Torchvision(config.shape.blocks, config.shape.bottleneck, 8, 3).state_dict()
    squeezed = {name for name in theirs if ".se." in name}
    assert theirs.keys() - squeezed == reference.keys() and bool(squeezed) == bool(block)
    assert all(theirs[name].shape == tensor.shape for name, tensor in reference.items())
    assert all(theirs[name].ndim == 4 for name in squeezed if name.endswith("weight"))
    again = from_torchvision(theirs)
    assert again.config == config and not again.training
    state = again.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 1},
        lambda s: {f"module.{n}": t for n, t in s.items()},
        lambda s: {"model": {f"_orig_mod.{n}": t for n, t in s.items()}},
        lambda s: {"state_dict": {f"model.{n}": t for n, t in s.items()} | {"ce.w": torch.ones(2)}},
    ],
    ids=["state_dict", "module", "compiled", "lightning"],
)
def test_weights_within_a_checkpoint_are_found_and_said(wrap: Any) -> None:
    model = moved(ResNet(ResNetConfig(classes=3, shape=ImageNet(depth=18, width=4))))
    with pytest.warns(UserWarning, match="the weights are those of"):
        again = from_torchvision(wrap(to_torchvision(model)))
    state = again.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    twice = {"model": to_torchvision(model), "ema": to_torchvision(moved(ResNet(model.config), 1))}
    with pytest.raises(ValueError, match="in 2 places that differ"):
        from_torchvision(twice)


def test_tensors_that_do_not_fit_are_all_named() -> None:
    theirs = to_torchvision(ResNet(ResNetConfig(classes=3, shape=ImageNet(depth=18, width=4))))
    old = {name: t for name, t in theirs.items() if not name.endswith("num_batches_tracked")}
    assert from_torchvision(old).config.classes == 3
    broken = {name: t for name, t in theirs.items() if name != "bn1.bias"}
    broken |= {"layer2.0.conv2.weight": torch.zeros(1, 2), "head.weight": torch.zeros(1)}
    with pytest.raises(CheckpointMismatch) as caught:
        from_torchvision(broken)
    assert caught.value.missing == ["bn1.bias"] and caught.value.unexpected == ["head.weight"]
    assert caught.value.wrong_shaped == {"layer2.0.conv2.weight": ([1, 2], [8, 8, 3, 3])}
    with pytest.raises(ValueError, match="no residual network that is known"):
        from_torchvision({"conv1.weight": torch.zeros(1)})


def test_a_block_without_a_name_there_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLOCKS, "twin", BLOCKS["se"])
    model = ResNet(cifar(8, block="twin"))
    with pytest.raises(ValueError, match="no names for the block twin"):
        to_torchvision(model)


def test_a_network_for_small_pictures_is_its_plain_definition() -> None:
    model = moved(ResNet(cifar(14, classes=3))).double().eval()
    images = torch.randn(2, 3, 8, 9, dtype=torch.float64)

    def conv(layer: ConvNorm, x: Tensor, stride: int = 1) -> Tensor:
        weight, norm = layer.conv.weight, layer.norm
        x = nn.functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, var = (t[:, None, None] for t in (norm.running_mean, norm.running_var))
        gain, bias = (t[:, None, None] for t in (norm.weight, norm.bias))
        return (x - mean) / (var + norm.eps).sqrt() * gain + bias

    stem: Any = model.stem
    x = relu(conv(stem, images))
    for number, stage in enumerate(model.stages):
        for place, block in enumerate(stage.blocks):
            stride = 2 if number and not place else 1
            inner = relu(conv(block.layers[0], x, stride))
            shortcut = x[:, :, ::stride, ::stride]
            more = torch.zeros_like(shortcut) if stride == 2 else shortcut[:, :0]
            x = relu(conv(block.layers[1], inner) + torch.cat([shortcut, more], 1))
    wanted = x.mean((2, 3)) @ model.output.weight.T + model.output.bias
    assert_close_to_golden(model(images), wanted, wanted, what="logits")


def test_a_block_stands_where_its_paper_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bam", "dual", "non_local", "sk"):
        monkeypatch.setitem(BLOCKS, name, BLOCKS["se"])
    assert place_of("se(reduction=2)") == "before_sum"
    model = ResNet(cifar(20, block="se"))
    blocks = [block for stage in model.stages for block in stage.blocks]
    assert [type(block.attention) for block in blocks] == [SqueezeExcitation] * 9
    model = ResNet(cifar(20, block="bam"))
    assert [type(stage.behind) for stage in model.stages] == [
        *[SqueezeExcitation] * 2,
        nn.Identity,
    ]
    assert [stage.behind.channels for stage in model.stages[:2]] == [16, 32]
    model = ResNet(imagenet(50, block="non_local"))
    assert [isinstance(s.inside, SqueezeExcitation) for s in model.stages] == [0, 0, 1, 0]
    assert model.stages[2].inside.channels == 1024
    model = ResNet(cifar(8, block="non_local"))
    assert model.stages[1].inside.channels == 16
    assert model(torch.randn(1, 3, 8, 8)).shape == (1, 10)
    model = ResNet(imagenet(50, block="sk"))
    assert all(isinstance(b.layers[1], Instead) for stage in model.stages for b in stage.blocks)
    assert model.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 1000)
    model = ResNet(cifar(8, block="sk"))
    firsts = [block.layers[0] for stage in model.stages for block in stage.blocks]
    assert [type(first.block) for first in firsts] == [SqueezeExcitation] * 3
    assert [first.stride for first in firsts] == [1, 2, 2]
    model = ResNet(cifar(8, block="dual"))
    assert [isinstance(s.behind, SqueezeExcitation) for s in model.stages] == [0, 0, 1]


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in OF_VIDEO])
def test_what_is_added_to_a_map_can_lessen_it(name: str, bottleneck: bool) -> None:
    torch.manual_seed(0)
    wide = 128 if bottleneck else 32

    def make(channels: int) -> nn.Module:
        return vision_block(name, channels)

    place = {"instead": "instead", "before_sum": "attention"}.get(place_of(name))
    given = {place: make} if place else {}
    made = ResidualBlock(wide, 32, bottleneck=bottleneck, **given)
    added: list[Tensor] = []
    made.attention.register_forward_hook(lambda module, inputs, output: added.append(output))
    made(torch.randn(4, wide, 9, 8))
    assert added[0].min() < 0 < added[0].max()


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in OF_VIDEO])
def test_every_block_of_pictures_learns_in_its_place(name: str) -> None:
    torch.manual_seed(0)
    model = ResNet(ResNetConfig(classes=3, block=name, shape=Cifar(depth=8, width=32)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.randn(4, 3, 16, 15)
    for _ in range(2):  # Those that start as the identity move their inner weights then.
        optimizer.zero_grad()
        model(images).square().sum().backward()
        optimizer.step()
    own = {k for k in model.state_dict() if k not in ResNet(cifar(8, classes=3)).state_dict()}
    assert own or name == "simam" or place_of(name) == "instead"
    still = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still
    assert model.eval()(images[:1]).isfinite().all()


@pytest.mark.parametrize("name", OF_VIDEO)
def test_a_block_of_video_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"the block {name} reads pictures one behind the other"):
        cifar(20, block=name)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: Cifar(depth=21), r"depth 21 is not 6n \+ 2, .* choose 20 or 26"),
        (lambda: ImageNet(depth=51), "depth 51 is not published; there are 18, 34, 50, 101, 152"),
        (lambda: cifar(20, block="es"), "there is no block 'es'"),
        (lambda: cifar(20, block="se(reduction=0)") and ResNet(cifar(block="se(0)")), "reduction"),
        (lambda: cifar(20, classes=0), "classes must be at least 1"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(made: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        made()


def test_images_of_other_channels_and_a_single_value_are_refused() -> None:
    model = ResNet(cifar(8))
    with pytest.raises(ValueError, match=r"3 channels, height, width\], got \[1, 1, 8, 8\]"):
        model(torch.randn(1, 1, 8, 8))
    with pytest.raises(ValueError, match="cannot learn from one picture whose map has one place"):
        model(torch.randn(1, 3, 4, 4))
    assert model.eval()(torch.randn(1, 3, 1, 1)).shape == (1, 10)
    assert len(model.maps(torch.randn(1, 3, 8, 8))) == 3


def test_a_block_starts_with_the_shortcut_it_needs() -> None:
    assert isinstance(ResidualBlock(8, 8).shortcut, nn.Identity)
    assert isinstance(ResidualBlock(8, 8, stride=2).shortcut, ConvNorm)
    padded = ResidualBlock(4, 8, stride=2, padded=True).shortcut(torch.ones(1, 4, 5, 5))
    assert padded.shape == (1, 8, 3, 3) and padded[:, 4:].sum() == 0
