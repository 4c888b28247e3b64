"""Residual networks (He et al., 2016) that label pictures."""

from collections.abc import Iterator
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from regard.models.resnet.config import ImageNet, ResNetConfig
from regard.models.resnet.layers import ConvNorm, Made, ResidualBlock, Stage
from regard.models.resnet.places import place_of
from regard.vision import block as vision_block


class ResNet(nn.Module):
    """Stages of residual blocks, each with half the places and twice the channels of the last.

        x = relu(norm(W * images));  x = stage_n(... stage_1(x));  logits = W mean(x) + b

    Images become of the weights' type.

    >>> import torch
    >>> from regard.models.resnet import cifar
    >>> model = ResNet(cifar(20, classes=10, block="se(reduction=8)"))
    >>> model(torch.randn(2, 3, 32, 32)).shape, model.stages[2].blocks[0].attention.reduction
    (torch.Size([2, 10]), 8)

    References:
        He, Zhang, Ren & Sun. Deep Residual Learning for Image Recognition. 2016.
        https://arxiv.org/abs/1512.03385
    """

    config_type: ClassVar[type[ResNetConfig]] = ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config, shape = config, config.shape
        large = isinstance(shape, ImageNet)
        self.stem = ConvNorm(config.channels, shape.width, 7 if large else 3, 2 if large else 1)
        self.pools = large
        self.stages = nn.ModuleList(_stages(config))
        wider = 4 if shape.bottleneck else 1
        self.output = nn.Linear(wider * shape.width * 2 ** (len(shape.blocks) - 1), config.classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        return self.output(self.features(images))

    def features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        """What the output layer reads: the mean over the places of the last maps."""
        return self.maps(images)[-1].mean((2, 3))

    def maps(self, images: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """What each stage makes of the images, each `[batch, channels, height, width]`.

        Raises `ValueError` for images of another number of channels.
        """
        if images.ndim != 4 or images.shape[1] != self.config.channels:
            raise ValueError(
                f"images must be [batch, {self.config.channels} channels, height, width], got "
                f"{[*images.shape]}"
            )
        x = relu(self.stem(images.to(self.stem.conv.weight.dtype)))
        if self.pools:
            x = max_pool2d(x, 3, 2, 1)
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def _stages(config: ResNetConfig) -> Iterator[Stage]:
    """The stages, with the configuration's block in its place."""
    shape, channels = config.shape, config.shape.width
    make: Made | None = None
    if config.block is not None:
        name = config.block

        def make(wide: int) -> nn.Module:
            return vision_block(name, wide)

    place = None if config.block is None else place_of(config.block)
    for number, count in enumerate(shape.blocks):
        width = shape.width * 2**number
        blocks: list[nn.Module] = []
        for place_in_stage in range(count):
            blocks.append(
                ResidualBlock(
                    channels,
                    width,
                    stride=2 if number and not place_in_stage else 1,
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
