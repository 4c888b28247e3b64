"""The configuration of DANet."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, NonNegative, Share
from regard.models.resnet.config import Cifar, ImageNet


@dataclass(frozen=True, kw_only=True)
class DANetConfig(Config):
    """A residual network for semantic segmentation, with position and channel attention.

    Args:
        channels: channels of an image.
        classes: number of classes.
        shape: of the residual network; the paper's is ImageNet's with 101 layers.
        dilated: number of last stages that are dilated instead of strided: with 2 of ImageNet's,
            the output stride is 8 instead of 32.
        grid: dilations of the blocks of the last stage, in turn; the authors' networks for
            Cityscapes have (4, 8, 16). Without any they follow from `dilated`.
        position: whether places attend to places; the convolutions of that branch are kept anyway.
        channel: whether channels attend to channels, likewise.
        position_loss: weight in the loss of the classes predicted by this branch alone.
        channel_loss: the same for the other branch; those of the sum have weight 1.
        dropout: channel dropout before the classifier.
        align_corners: how maps are upsampled to the image's size: the corners of both are one
            place, as in published weights, or the pixels are areas.

    Raises `ValueError` for one out of bounds, for more dilated stages than have a stride, and for
    a grid without a dilated stage.

    >>> DANetConfig(classes=3, shape=ImageNet(depth=18)).head_width
    128
    """

    tag = "danet"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "classes")

    channels: Count = 3
    classes: Count
    shape: Cifar | ImageNet = ImageNet(depth=101)
    dilated: Annotated[int, Between(least=0, most=3)] = 2
    grid: tuple[Count, ...] = ()
    position: bool = True
    channel: bool = True
    position_loss: NonNegative = 1.0
    channel_loss: NonNegative = 1.0
    dropout: Share = 0.1
    align_corners: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        most = len(self.shape.blocks) - 1
        if self.dilated > most:
            raise ValueError(
                f"dilated must be at most {most}, for no more of the stages of "
                f"{self.shape.tag} have a stride; got {self.dilated}"
            )
        if self.grid and not self.dilated:
            raise ValueError(
                f"grid {[*self.grid]} is of the last stage where it is dilated, and dilated is 0"
            )

    @property
    def head_width(self) -> int:
        """The channels of each branch: a quarter of those of the last maps, at least one."""
        last = self.shape.width * 2 ** (len(self.shape.blocks) - 1)
        return max(1, last * (4 if self.shape.bottleneck else 1) // 4)
