"""Random augmentation of training images, so that none is seen twice in the same form.

An array with one number per pixel is a mask, and is changed like its image, by the same draws.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator

from regard.config import Between, Config, Natural
from regard.data.encoding.decoded import Fill, Picture, Size, middle, resized
from regard.data.encoding.masks import resized_mask

Area = Annotated[float, Between(above=0.0, most=1.0)]
Ratio = Annotated[float, Between(least=1.0, most=16.0)]
TRIES = 10
"""Attempts to draw a crop before falling back to the center crop."""


@dataclass(frozen=True, kw_only=True)
class Unchanged(Config):
    """The center crop of each image, as in evaluation."""

    tag = "none"

    def changed(self, picture: Picture, size: Size, fill: Fill, rng: Generator) -> Picture:
        """What is learned from a picture."""
        return middle(picture, size)


@dataclass(frozen=True, kw_only=True)
class CropFlip(Config):
    """The center crop, shifted by up to `padding` pixels, and padded with the mean color.

    Args:
        padding: maximum shift in pixels, in every direction.
        flip: mirror every second picture, left and right.

    References:
        He et al. Deep Residual Learning for Image Recognition. 2016.
        https://arxiv.org/abs/1512.03385 (section 4.2: 4 pixels at 32 by 32)
    """

    tag = "crop_flip"

    padding: Natural = 4
    flip: bool = True

    def changed(self, picture: Picture, size: Size, fill: Fill, rng: Generator) -> Picture:
        """What is learned from a picture."""
        height, width = size
        down, right = (int(n) for n in rng.integers(-self.padding, self.padding + 1, 2))
        kept = middle(picture, size)
        found = np.broadcast_to(fill, (height, width, kept.shape[2])).copy()
        to_row, from_row = _overlap(height, down)
        to_column, from_column = _overlap(width, right)
        found[to_row, to_column] = kept[from_row, from_column]
        return _flipped(found, self.flip, rng)


@dataclass(frozen=True, kw_only=True)
class ResizedCrop(Config):
    """A random resized crop: a part of each image of random area and aspect ratio, resized.

    Args:
        least_area: minimum area of the crop, as a fraction of the image.
        most_ratio: maximum aspect ratio of the crop, either way.
        flip: mirror every second picture, left and right.

    References:
        Szegedy et al. Going Deeper with Convolutions. 2015. https://arxiv.org/abs/1409.4842
    """

    tag = "resized_crop"

    least_area: Area = 0.08
    most_ratio: Ratio = 4 / 3
    flip: bool = True

    def changed(self, picture: Picture, size: Size, fill: Fill, rng: Generator) -> Picture:
        """What is learned from a picture."""
        box = self._part(picture, rng)
        if box is None:
            found = middle(picture, size)
        elif picture.shape[2] == 1:
            found = resized_mask(picture, size, box)
        else:
            found = resized(picture, size, box)
        return _flipped(found, self.flip, rng)

    def _part(self, picture: Picture, rng: Generator) -> tuple[int, int, int, int] | None:
        height, width = picture.shape[:2]
        for _ in range(TRIES):
            area = height * width * rng.uniform(self.least_area, 1.0)
            ratio = math.exp(rng.uniform(-1, 1) * math.log(self.most_ratio))
            across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < across <= width and 0 < down <= height:
                left, top = (
                    int(rng.integers(width - across + 1)),
                    int(rng.integers(height - down + 1)),
                )
                return left, top, left + across, top + down
        return None


Augment = Unchanged | CropFlip | ResizedCrop


def _overlap(length: int, shift: int) -> tuple[slice, slice]:
    """Where what is moved by `shift` comes to lie, and where it was."""
    shift = max(-length, min(length, shift))
    to, of = (
        slice(max(0, shift), length + min(0, shift)),
        slice(max(0, -shift), length - max(0, shift)),
    )
    return to, of


def _flipped(picture: Picture, flip: bool, rng: Generator) -> Picture:
    mirrored = flip and bool(rng.integers(2))
    return picture[:, ::-1] if mirrored else picture
