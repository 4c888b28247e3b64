"""The U-Net (Ronneberger et al., 2015), optionally with attention gates (Oktay et al., 2018)."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad, relu

from regard.models.resnet.layers import ConvNorm
from regard.models.unet.config import UNetConfig
from regard.vision import AttentionGate

Maps = Float[Tensor, "batch _ _ _"]
"""`[batch, channels, height, width]`; a layer changes all but the first."""


class Convolutions(nn.Module):
    """Two 3 × 3 convolutions, each `relu(norm(W * x))`."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(channels, wider, 3), ConvNorm(wider, wider, 3)

    def forward(self, x: Maps) -> Maps:
        return relu(self.second(relu(self.first(x))))


class Upwards(nn.Module):
    """Upsampled maps concatenated with the skip connection, then convolved.

        output = convolutions([gate(skipped, x); W ^ x])

    Args:
        channels: of x, twice those of the skip connection.
        gated: whether the skip connection has an attention gate with x as the gating signal.
    """

    def __init__(self, channels: int, gated: bool) -> None:
        super().__init__()
        narrow = channels // 2
        self.larger = nn.ConvTranspose2d(channels, narrow, 2, 2)
        self.gate = AttentionGate(narrow, channels) if gated else None
        self.convolutions = Convolutions(channels, narrow)

    def forward(self, x: Maps, skipped: Maps) -> Maps:
        passed = skipped if self.gate is None else self.gate(skipped, x)
        return self.convolutions(torch.cat([passed, self.larger(x)], 1))


class UNet(nn.Module):
    """A contracting and an expanding path with skip connections between equal sizes.

    Convolutions are padded, so that every pixel gets a class, and batch-normalized, unlike in the
    paper. Images whose sides are not multiples of `2^depth` are zero-padded temporarily. Images
    are cast to the dtype of the weights.

    >>> config = UNetConfig(classes=3, depth=2, width=4)
    >>> UNet(config)(torch.randn(2, 3, 10, 13)).shape
    torch.Size([2, 3, 10, 13])

    References:
        Ronneberger, Fischer & Brox. U-Net: Convolutional Networks for Biomedical Image
        Segmentation. 2015. https://arxiv.org/abs/1505.04597
        Oktay et al. Attention U-Net: Learning Where to Look for the Pancreas. 2018.
        https://arxiv.org/abs/1804.03999
    """

    config_type: ClassVar[type[UNetConfig]] = UNetConfig

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config, widths = config, config.widths
        before = (config.channels, *widths[:-1])
        self.down = nn.ModuleList(map(Convolutions, before, widths))
        self.up = nn.ModuleList(Upwards(width, config.gates) for width in widths[:0:-1])
        self.output = nn.Conv2d(widths[0], config.classes, 1)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of the classes of each pixel."""
        return self.output(self.features(images))

    def features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features height width"]:
        """The input of the last layer for each pixel.

        Raises `ValueError` for images of another number of channels.
        """
        *skipped, x = self._down(images)
        for upwards in self.up:
            x = upwards(x, skipped.pop())
        return x[:, :, : images.shape[2], : images.shape[3]]

    @torch.no_grad()
    def gates(self, images: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """The gates at each resolution, `[batch, 1, height, width]`, smallest first.

        Empty without gates.
        """
        *skipped, x = self._down(images)
        found: list[Tensor] = []
        for each in self.up if self.config.gates else ():
            upwards: Any = each
            fine = skipped.pop()
            found.append(upwards.gate.weights(fine, x))
            x = upwards(x, fine)
        return found

    def _down(self, images: Tensor) -> list[Tensor]:
        """The maps of each size on the way down, the largest first."""
        if images.ndim != 4 or images.shape[1] != self.config.channels:
            raise ValueError(
                f"images must be [batch, {self.config.channels} channels, height, width], got "
                f"{[*images.shape]}"
            )
        height, width = images.shape[2:]
        step = 2**self.config.depth
        x = images.to(self.output.weight.dtype)
        x = pad(x, (0, -width % step, 0, -height % step))
        found: list[Tensor] = []
        for convolutions in self.down:
            x = convolutions(max_pool2d(x, 2) if found else x)
            found.append(x)
        return found
