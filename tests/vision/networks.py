"""Small networks of the forms that blocks are put into."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.vision import BLOCKS, block
from tests.tables.blocks import EXAMPLES


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class Basic(nn.Module):
    """A residual block as torchvision writes it: one ReLU, called twice, in place; `+=`."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += shortcut
        return self.relu(out)


class Bottleneck(nn.Module):
    """Three convolutions, and `torch.add`."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        middle = outputs // 4
        self.conv1, self.bn1 = conv(inputs, middle, 1), nn.BatchNorm2d(middle)
        self.conv2, self.bn2 = conv(middle, middle, 3, stride), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = conv(middle, outputs, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(torch.add(self.bn3(self.conv3(out)), self.shortcut(x)))


class ResNet(nn.Module):
    """The classifier of residual blocks, three stages behind its stem."""

    def __init__(self, kind: type[nn.Module] = Basic) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(3, 16, 7, 2), nn.BatchNorm2d(16)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(kind(16, 16), kind(16, 16))
        self.layer2 = nn.Sequential(kind(16, 32, 2), kind(32, 32))
        self.layer3 = nn.Sequential(kind(32, 64, 2), kind(64, 64))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class MobileBlock(nn.Module):
    """An inverted residual with a squeeze-and-excitation gate, padded by hand."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = inputs * 2
        self.expand, self.bn0 = conv(inputs, wide, 1), nn.BatchNorm2d(wide)
        self.depthwise = nn.Conv2d(wide, wide, 3, stride, 0, groups=wide, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.reduce, self.grow = nn.Conv2d(wide, 4, 1), nn.Conv2d(4, wide, 1)
        self.project, self.bn2 = conv(wide, outputs, 1), nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout(0.2)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = F.silu(self.bn0(self.expand(x)))
        out = F.silu(self.bn1(self.depthwise(F.pad(out, (1, 1, 1, 1)))))
        gate = self.grow(F.silu(self.reduce(F.adaptive_avg_pool2d(out, 1))))
        out = self.bn2(self.project(out * torch.sigmoid(gate)))
        return x + self.drop(out) if self.adds else out


class Mobile(nn.Module):
    """Blocks in a list, a head without a module for its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 3, 2)
        widths = [(8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 24, 2), (24, 24, 1)]
        self.blocks = nn.ModuleList(MobileBlock(*each) for each in widths)
        self.fc = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.stem(x))
        for each in self.blocks:
            x = each(x)
        return self.fc(x.mean((2, 3)))


class Pyramid(nn.Module):
    """Features of three resolutions, added from the top down, and a head that all share."""

    def __init__(self) -> None:
        super().__init__()
        self.c3, self.c4, self.c5 = conv(3, 8, 3, 4), conv(8, 16, 3, 2), conv(16, 32, 3, 2)
        self.laterals = nn.ModuleList(nn.Conv2d(width, 8, 1) for width in (8, 16, 32))
        self.head = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.c3(x)]
        maps += [self.c4(maps[0])]
        maps += [self.c5(maps[1])]
        sides = [side(each) for side, each in zip(self.laterals, maps, strict=True)]
        for low in (1, 0):
            sides[low] = sides[low] + F.interpolate(sides[low + 1], size=sides[low].shape[2:])
        return [self.head(side) for side in sides]


class Tokens(nn.Module):
    """Patches, then tokens, as a vision transformer has them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 16)
        self.last = nn.LayerNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.last(tokens + self.mix(tokens)).mean(1)


class ChannelsLast(nn.Module):
    """A block of ConvNeXt: its norm and layers see channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 16, 4, 4), nn.Conv2d(16, 16, 7, 1, 3, groups=16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 64), nn.Linear(64, 16)
        self.scale = nn.Parameter(torch.full((16,), 0.5))
        self.path = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        out = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        out = self.scale * self.down(F.gelu(self.up(out)))
        return x + self.path(out.permute(0, 3, 1, 2))


class Dense(nn.ModuleDict):
    """Runs its children over all features so far."""

    def __init__(self) -> None:
        super().__init__({f"layer{n}": nn.Conv2d(4 * (n + 1), 4, 3, 1, 1) for n in range(3)})

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, 1)


class Row(nn.Module):
    """Runs its children in turn, and is no `Sequential`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        for child in self.children():
            x = child(x)
        return x


class Video(nn.Module):
    """Three stages over time, height and width."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1, self.bn1 = nn.Conv3d(3, 16, 3, (1, 2, 2), 1), nn.BatchNorm3d(16)
        self.layer2, self.bn2 = nn.Conv3d(16, 32, 3, 2, 1), nn.BatchNorm3d(32)
        self.layer3, self.fc = nn.Conv3d(32, 32, 3, 1, 1), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn2(self.layer2(F.relu(self.bn1(self.layer1(x))))))
        return self.fc(self.layer3(x).mean((2, 3, 4)))


def settled(model: Any, seed: int = 0) -> Any:
    """The network in evaluation mode, its batch norms as after some training."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            shape = module.running_mean.shape
            module.running_mean.copy_(torch.randn(shape, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(shape, generator=generator) * 0.5 + 0.1)
    return model.eval()


def image(size: int = 64, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def clip() -> Tensor:
    return torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))


def spelled(name: str, axes: int = 4, channels: int = 16) -> str | None:
    """A block of the table as it can stand in a network whose maps have so many axes."""
    rows = [e.spelled for e in EXAMPLES if e.spelled.partition("(")[0] == name]
    for each in [name, *rows]:
        try:
            block(each, channels).eval()(torch.zeros(1, channels, *[4] * (axes - 2)))
        except (ValueError, TypeError):  # the shape hook says a TypeError
            continue
        return each
    return None


IN_IMAGES = [each for each in (spelled(name) for name in BLOCKS) if each]
IN_VIDEO = [each for each in (spelled(name, 5) for name in BLOCKS) if each]
"""All blocks: what is not in the one is in the other."""
