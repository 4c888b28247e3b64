"""Dual attention for segmentation (Fu et al., 2019)."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from regard._backends._weights import Chosen
from regard.models.danet.config import DANetConfig
from regard.models.resnet.layers import ConvNorm
from regard.models.resnet.stages import ResidualStages
from regard.vision import DualChannelAttention, DualPositionAttention

Maps = Float[Tensor, "batch _ height width"]


class Branch(nn.Module):
    """A 3 × 3 convolution before an attention block, and one after it.

        output = relu(norm(W_2 * attention(relu(norm(W_1 * x)))))

    Args:
        attention: a block of that many channels, or `nn.Identity` if omitted.
    """

    def __init__(self, channels: int, width: int, attention: nn.Module) -> None:
        super().__init__()
        self.before, self.attention = ConvNorm(channels, width, 3), attention
        self.behind = ConvNorm(width, width, 3)

    def forward(self, x: Maps) -> Maps:
        return relu(self.behind(self.attention(self.read(x))))

    def read(self, x: Maps) -> Maps:
        """The input of the attention."""
        return relu(self.before(x))


class DANet(nn.Module):
    """Semantic segmentation by a dilated residual network and two summed attention branches.

        p, c = position(x), channel(x)         logits = upsample(W (p + c) + b)

    In training, p and c also have classifiers of their own (`forward_branches`). Maps are
    upsampled bilinearly to the image's size. Images are cast to the dtype of the weights.
    `from_published` reads pytorchcv's and the authors' weights.

    >>> from regard.models.resnet import ImageNet
    >>> model = DANet(DANetConfig(classes=3, shape=ImageNet(depth=18, width=4)))
    >>> model(torch.randn(2, 3, 40, 33)).shape
    torch.Size([2, 3, 40, 33])

    References:
        Fu, Liu, Tian, Li, Bao, Fang, Lu. Dual Attention Network for Scene Segmentation. 2019.
        https://arxiv.org/abs/1809.02983
    """

    config_type: ClassVar[type[DANetConfig]] = DANetConfig

    def __init__(self, config: DANetConfig) -> None:
        super().__init__()
        self.config, width = config, config.head_width
        self.backbone = ResidualStages(
            config.channels, config.shape, dilated=config.dilated, grid=config.grid
        )
        wide = self.backbone.width
        places = DualPositionAttention(width) if config.position else nn.Identity()
        channels = DualChannelAttention(width) if config.channel else nn.Identity()
        self.position = Branch(wide, width, places)
        self.channel = Branch(wide, width, channels)
        self.dropout = nn.Dropout2d(config.dropout)
        self.output = nn.Conv2d(width, config.classes, 1)
        self.position_output = nn.Conv2d(width, config.classes, 1)
        self.channel_output = nn.Conv2d(width, config.classes, 1)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of the classes of each pixel."""
        position, channel = self._branches(images)
        return self._classes(self.output, position + channel, images)

    def forward_branches(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch classes height width"], list[tuple[Tensor, float]]]:
        """The logits, and those of each branch alone with the weight of their loss.

        Raises `ValueError` for images of another number of channels.
        """
        position, channel = self._branches(images)
        logits = self._classes(self.output, position + channel, images)
        return logits, [
            (self._classes(self.position_output, position, images), self.config.position_loss),
            (self._classes(self.channel_output, channel, images), self.config.channel_loss),
        ]

    @torch.no_grad()
    def weights(
        self, images: Float[Tensor, "batch channels height width"], rows: Chosen = None
    ) -> dict[str, Tensor]:
        """The weights of places and channels, by name, for the attentions that are present.

        Args:
            rows: the places of the last maps, counted row by row, whose weights to return.
        """
        x, found = self.backbone.maps(images)[-1], dict[str, Tensor]()
        places, channels = self.position.attention, self.channel.attention
        if isinstance(places, DualPositionAttention):
            found["position"] = places.weights(self.position.read(x), rows)
        if isinstance(channels, DualChannelAttention):
            found["channel"] = channels.weights(self.channel.read(x))
        return found

    def _branches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.backbone.maps(images)[-1]
        return self.position(x), self.channel(x)

    def _classes(self, output: nn.Module, maps: Tensor, images: Tensor) -> Tensor:
        """Logits as large as the images."""
        small = output(self.dropout(maps))
        size, align = images.shape[2:], self.config.align_corners
        return interpolate(small, size, mode="bilinear", align_corners=align)
