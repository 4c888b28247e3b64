"""The stages of a residual network, a backbone for any head."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from regard.models.resnet.config import Cifar, ImageNet
from regard.models.resnet.layers import ConvNorm, DeepStem, Made, ResidualBlock, Stage
from regard.models.resnet.places import place_of
from regard.vision import block as vision_block


class ResidualStages(nn.Module):
    """The stem and the stages of a residual network, without the head.

    Dilated stages have no stride. Their kernels, and all later ones, are dilated instead, so that
    the values at the strided positions are what they would be with strides, and those in between
    are equally good.

    Args:
        channels: numbers of a pixel.
        shape: of the stages.
        block: a block of `regard.vision`, where its paper puts it.
        dilated: how many of the last stages have a dilation instead of a stride.
        grid: dilations of the blocks of the last stage, in turn, instead of those that follow from
            `dilated`; none for these.

    Raises `ValueError` if that many stages have no stride to replace.

    >>> import torch
    >>> stages = ResidualStages(3, ImageNet(depth=18, width=4), dilated=2)
    >>> [[*maps.shape] for maps in stages.maps(torch.randn(1, 3, 64, 48))]
    [[1, 4, 16, 12], [1, 8, 8, 6], [1, 16, 8, 6], [1, 32, 8, 6]]

    References:
        Yu, Koltun & Funkhouser. Dilated Residual Networks. 2017. https://arxiv.org/abs/1705.09914
    """

    def __init__(
        self,
        channels: int,
        shape: Cifar | ImageNet,
        block: str | None = None,
        dilated: int = 0,
        grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        most = len(shape.blocks) - 1
        if not 0 <= dilated <= most:
            raise ValueError(
                f"dilated must be at least 0 and at most {most}, for {most} of the "
                f"{len(shape.blocks)} stages have strides; got {dilated}"
            )
        self.channels, self.pools = channels, isinstance(shape, ImageNet)
        size, stride = (7, 2) if self.pools else (3, 1)
        deep = is_deep(shape)
        self.stem = (
            DeepStem(channels, shape.width)
            if deep
            else ConvNorm(channels, shape.width, size, stride)
        )
        self.stages = nn.ModuleList(_stages(shape, block, dilated, grid))
        self.width = shape.width * 2**most * (4 if shape.bottleneck else 1)

    def maps(self, images: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """The output of each stage, `[batch, channels, height, width]`.

        Raises `ValueError` for images of another number of channels.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"images must be [batch, {self.channels} channels, height, width], got "
                f"{[*images.shape]}"
            )
        x = relu(self.stem(images.to(next(self.stem.parameters()).dtype)))
        if self.pools:
            x = max_pool2d(x, 3, 2, 1)
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def is_deep(shape: Cifar | ImageNet) -> bool:
    """Whether the stem has three convolutions."""
    return isinstance(shape, ImageNet) and shape.stem == "deep"


def _stages(
    shape: Cifar | ImageNet, block: str | None, dilated: int, grid: Sequence[int]
) -> Iterator[Stage]:
    """The stages, with the block in its place."""
    channels, apart = shape.width * (2 if is_deep(shape) else 1), 1
    make: Made | None = None
    if block is not None:
        name = block

        def make(wide: int) -> nn.Module:
            return vision_block(name, wide)

    place = None if block is None else place_of(block)
    for number, count in enumerate(shape.blocks):
        width = shape.width * 2**number
        # The layer whose stride is gone still reads what lies as far apart as before.
        entered, stride = apart, 2 if number else 1
        if number >= len(shape.blocks) - dilated:
            apart, stride = 2 * apart, 1
        blocks: list[nn.Module] = []
        for place_in_stage in range(count):
            first = not place_in_stage
            dilation = (entered if first else apart, apart)
            if grid and number == len(shape.blocks) - 1:
                dilation = (grid[place_in_stage % len(grid)],) * 2
            blocks.append(
                ResidualBlock(
                    channels,
                    width,
                    stride=stride if first else 1,
                    dilation=dilation,
                    bottleneck=shape.bottleneck,
                    padded=shape.shortcut == "padding",
                    attention=make if place == "before_sum" else None,
                    instead=make if place == "instead" else None,
                )
            )
            before, channels = channels, width * (4 if shape.bottleneck else 1)
        inside = make and place == "inside" and number == len(shape.blocks) - 2
        last = number == len(shape.blocks) - 1
        behind = (place == "behind" and not last) or (place == "last" and last)
        # A stage of one block has what stands inside in front of that.
        wide = channels if count > 1 else before
        yield Stage(
            blocks,
            make(wide) if make and inside else None,
            make(channels) if make and behind else None,
        )
