"""The configuration of residual networks."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from regard.config import Between, Config, Count
from regard.models.resnet.places import place_of
from regard.models.vision_blocks import BlockName

Width = Annotated[int, Between(least=1, most=4096)]

STAGES: dict[int, tuple[tuple[int, ...], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
"""Depth → the blocks of each stage (table 1 of the paper), and whether they are bottlenecks."""


@dataclass(frozen=True, kw_only=True)
class Cifar(Config):
    """For 32 × 32 images: three stages with equally many blocks, and no initial pooling.

    Args:
        depth: 6n + 2: 20, 32, 44, 56 and 110 are published.
        width: channels of the first stage; each further one has twice as many.
        shortcut: how a block's input is added to more channels than it has: zero-padded (the
            paper's option A), or projected (option B).

    Raises `ValueError` for another depth.
    """

    tag = "cifar"

    depth: Annotated[int, Between(least=8, most=1202)] = 20
    width: Width = 16
    shortcut: Literal["padding", "projection"] = "padding"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 2) % 6:
            low = self.depth - (self.depth - 2) % 6
            raise ValueError(
                f"depth {self.depth} is not 6n + 2, and three stages have as many blocks each; "
                f"choose {low} or {low + 6}"
            )

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks of each stage."""
        return ((self.depth - 2) // 6,) * 3

    @property
    def bottleneck(self) -> bool:
        """Whether blocks have a narrow middle."""
        return False


@dataclass(frozen=True, kw_only=True)
class ImageNet(Config):
    """For 224 × 224 images: a stem that reduces them by a factor of 4, then four stages.

    Args:
        depth: 18 and 34 of blocks of two layers, 50, 101 and 152 of bottlenecks.
        width: channels of the first stage; of bottlenecks, a quarter of them.
        stem: the first layer: one 7 × 7 convolution, or `deep`: three of 3 × 3, the last with
            twice the width, as in DANet's and GluonCV's networks (`v1s`).

    Raises `ValueError` for another depth.
    """

    tag = "imagenet"

    depth: Annotated[int, Between(least=18, most=152)] = 50
    width: Width = 64
    stem: Literal["plain", "deep"] = "plain"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth not in STAGES:
            known = ", ".join(map(str, STAGES))
            raise ValueError(f"depth {self.depth} is not published; there are {known}")

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks of each stage."""
        return STAGES[self.depth][0]

    @property
    def bottleneck(self) -> bool:
        """Whether blocks have a narrow middle."""
        return STAGES[self.depth][1]

    @property
    def shortcut(self) -> str:
        """How a block's input is added to more channels than it has."""
        return "projection"


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(Config):
    """A residual network for image classification.

    Args:
        channels: channels of an image.
        classes: number of labels.
        labels: their names, if known.
        shape: of its stages.
        block: a block of `regard.vision`, where its paper puts it (see `regard.models.resnet.
            places`): `se`, `cbam`, `eca` in each residual block before the sum, `bam` between
            stages, `sk` instead of a 3 × 3 convolution.

    Raises `ValueError` for a value out of bounds and an unknown block, or one for video.

    >>> imagenet(50, classes=10).shape.blocks, cifar(56, classes=10, block="se").block
    ((3, 4, 6, 3), 'se')
    """

    tag = "resnet"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "labels", "classes")

    channels: Count = 3
    classes: Count
    labels: tuple[str, ...] = ()
    shape: Cifar | ImageNet = Cifar()
    block: BlockName | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block is not None:
            place_of(self.block)


def cifar(depth: int = 20, *, classes: int = 10, **changes: Any) -> ResNetConfig:
    """The paper's networks for 32 × 32 images: 20, 32, 44, 56 or 110 layers."""
    return ResNetConfig(classes=classes, shape=Cifar(depth=depth), **changes)


def imagenet(depth: int = 50, *, classes: int = 1000, **changes: Any) -> ResNetConfig:
    """The paper's networks for ImageNet: 18, 34, 50, 101 or 152 layers."""
    return ResNetConfig(classes=classes, shape=ImageNet(depth=depth), **changes)
