"""The sizes of DANet."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, NonNegative, Share
from regard.models.resnet.config import Cifar, ImageNet


@dataclass(frozen=True, kw_only=True)
class DANetConfig(Config):
    """A residual network that gives each pixel a class, with attention to places and channels.

    Args:
        channels: numbers of a pixel.
        classes: number of different classes.
        shape: of the residual network; the paper's is ImageNet's with 101 layers.
        dilated: how many of its last stages are dilated instead of smaller: with 2 of ImageNet's
            the last maps are 8 times smaller than the image, not 32 times.
        position: whether places attend to places; the convolutions of that branch are there anyway.
        channel: whether channels attend to channels, likewise.
        position_loss: what the classes that this branch alone would give count in the loss.
        channel_loss: the same for the other branch; those of the sum count 1.
        dropout: share of the channels that are left out before classes are read from them.

    Raises `ValueError` for one out of bounds, and for more dilated stages than have a stride.

    >>> DANetConfig(classes=3, shape=ImageNet(depth=18)).head_width
    128
    """

    tag = "danet"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "classes")

    channels: Count = 3
    classes: Count
    shape: Cifar | ImageNet = ImageNet(depth=101)
    dilated: Annotated[int, Between(least=0, most=3)] = 2
    position: bool = True
    channel: bool = True
    position_loss: NonNegative = 1.0
    channel_loss: NonNegative = 1.0
    dropout: Share = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        most = len(self.shape.blocks) - 1
        if self.dilated > most:
            raise ValueError(
                f"dilated must be at most {most}, for no more of the stages of "
                f"{self.shape.tag} have a stride; got {self.dilated}"
            )

    @property
    def head_width(self) -> int:
        """The channels of each branch: a quarter of those of the last maps, and at least one."""
        last = self.shape.width * 2 ** (len(self.shape.blocks) - 1)
        return max(1, last * (4 if self.shape.bottleneck else 1) // 4)
