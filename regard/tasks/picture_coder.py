"""The base of coders of images."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard._io.extra import extra
from regard.config import Count
from regard.data.encoding.augment import Augment, Unchanged
from regard.data.encoding.decoded import RGB, Size, middle, resized, with_short_side
from regard.data.encoding.pictures import (
    PictureExamples,
    in_proportion,
    kept_picture,
    open_pictures,
    write_pictures,
)
from regard.tasks.batch import Batch
from regard.tasks.colors import KNOWN, Colors
from regard.tasks.exchange import said
from regard.view.patches import Patches

SHOWN = 112
"""The longer side of an image on the page of a run."""
LOOKED_AT = 2000
"""Maximum number of training images for the color statistics."""
ENTRIES = {"size": Count, "short_side": Count}
"""The entries of every such coder in `task.json`."""


@dataclass(frozen=True, eq=False)
class PictureBatch(Batch):
    """The base of batches of images, which count as one token each."""

    images: Float[Tensor, "batch 3 height width"]

    @property
    def num_tokens(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def num_padded_tokens(self) -> int:
        """The same: there is no padding."""
        return len(self.images)


@dataclass(frozen=True, eq=False)
class PictureCoder(ABC):
    """The base of coders of images.

    An image is stored with its shorter side `short_side` pixels long; a network reads its center
    crop, `size` by `size`.

    Args:
        colors: the normalization of colors.
    """

    colors: Colors
    size: int
    short_side: int

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {"channels": 3, "image_size": self.shape}

    @property
    def shape(self) -> Size:
        """Height and width of the network's input."""
        return self.size, self.size

    @abstractmethod
    def kept(self, rows: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
        """What is stored for some rows, including `pictures`."""

    @abstractmethod
    def numbers(self, rows: Mapping[str, Any], judged: bool) -> list[int]:
        """The number of the label of each row; -1 for one that is not known, where it is judged."""

    @abstractmethod
    def collate(self, examples: Any, rows: np.ndarray) -> Any:
        """These examples as a batch, as in evaluation."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, PictureExamples]:
        """Encode every split, in folders under `place`.

        Raises `ValueError` with the name of a picture that cannot be read.
        """
        judged = "train" not in splits
        return {
            split: write_pictures(
                rows, place / split, self.kept, lambda some: self.numbers(some, judged)
            )
            for split, rows in splits.items()
        }

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, PictureExamples]:
        """Open what `encode` wrote."""
        return {split: open_pictures(place / split) for split in splits}

    def middle_of(self, picture: RGB) -> RGB:
        """The network's center crop of an image of any size."""
        return middle(with_short_side(in_proportion(picture), self.short_side), self.shape)

    def read(self, pictures: Sequence[RGB]) -> Float[Tensor, "batch 3 height width"]:
        """Images of the network's size, normalized."""
        whole = np.stack(pictures) if pictures else np.zeros((0, *self.shape, 3), dtype=np.uint8)
        return self.colors.scaled(whole)

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        return self.colors.save(folder)

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"size": self.size, "short_side": self.short_side}


@dataclass(frozen=True, eq=False)
class EpochOfPictures:
    """The training images of one epoch, augmented at random but reproducibly.

    Args:
        key: seed and epoch, which with an image's row determine its augmentation.
    """

    coder: Any
    examples: Any
    augment: Augment = field(default_factory=Unchanged)
    key: tuple[int, int] = (0, 0)

    @property
    def lengths(self) -> np.ndarray:
        """One for each image."""
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Any:
        """These images, the same in any process and any batch."""
        return self.coder.collate(self.examples, rows, self.augment, self.key)


def shown_picture(pixels: RGB, rows: int, columns: int) -> Patches:
    """What a network saw of an image, small, under its patches."""
    file, image = BytesIO(), extra("PIL.Image")
    height, width = pixels.shape[:2]
    longer = max(height, width)
    sides = (max(1, SHOWN * height // longer), max(1, SHOWN * width // longer))
    small = pixels if longer <= SHOWN else resized(pixels, sides)
    image.fromarray(np.ascontiguousarray(small)).save(file, "PNG" if small is pixels else "JPEG")
    return Patches(file.getvalue(), (rows, columns), 0)


def patch_names(rows: int, columns: int) -> tuple[str, ...]:
    """What patches are called, row by row.

    >>> patch_names(1, 2)
    ('r1 c1', 'r1 c2')
    """
    return tuple(f"r{row + 1} c{col + 1}" for row in range(rows) for col in range(columns))


def changes(key: tuple[int, int], row: int) -> np.random.Generator:
    """The random generator of an image's augmentation in an epoch."""
    return np.random.default_rng([*key, row])


def colors_learned(which: str, rows: Any, side: int) -> Colors:
    """The color statistics of the training images, or of a sample of many, or known ones.

    Args:
        rows: of the training split, with a column `image`.
        side: of the images as stored.
    """
    return KNOWN[which] if which in KNOWN else Colors.of(_some_pictures(rows, side))


def _some_pictures(rows: Any, side: int) -> Iterator[RGB]:
    step = max(1, -(-len(rows) // LOOKED_AT))
    for start in range(0, len(rows), step):
        (cell,) = rows[start : start + 1]["image"]
        yield kept_picture(cell, side)


def coder_entries(folder: Path, entries: Mapping[str, Any]) -> dict[str, int]:
    """`size` and `short_side` from `task.json`, or from settings, where 0 means the size.

    Raises `ValueError` if one is missing, or the shorter side is less than the size.
    """
    short = entries.get("short_side") or entries.get("size")
    found = said(folder, {**entries, "short_side": short}, ENTRIES, list(ENTRIES))
    require_short_side(found["size"], found["short_side"])
    return found


def require_short_side(size: int, short_side: int) -> None:
    """Raise `ValueError` if images are stored smaller than the network's input."""
    if short_side < size:
        raise ValueError(
            f"short_side {short_side} is less than size {size}: pictures would be kept smaller "
            "than they are read; leave short_side out, or make it larger"
        )
