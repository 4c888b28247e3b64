"""What segmentation learns from its data: colours, and the classes of pixels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.data.encoding.augment import Augment, Unchanged
from regard.data.encoding.decoded import decoded, is_turned, short_side_size, with_short_side
from regard.data.encoding.masks import (
    MOST_CLASSES,
    UNKNOWN,
    class_names,
    codes_inside,
    edge_codes,
    mask_codes,
    numbered,
    resized_mask,
)
from regard.data.encoding.pictures import PictureExamples, Pictures, in_proportion
from regard.data.reading.pictures import PictureCell
from regard.tasks.classify.coder import LABELS, load_labels, save_labels
from regard.tasks.colors import Colors
from regard.tasks.picture_coder import PictureBatch, PictureCoder, changes, coder_entries

EdgesAre = Literal["refused", "ignored", "learned"]

AT_ONCE = 64
"""Masks that are in memory together."""


@dataclass(frozen=True, eq=False)
class MaskedPictures(PictureBatch):
    """Pictures and the class of each pixel, -1 for one that is not known."""

    mask: Int[Tensor, "batch height width"]

    @property
    def num_targets(self) -> int:
        """Number of pictures with a pixel whose class is known."""
        return int((self.mask >= 0).flatten(1).any(1).sum())


@dataclass(frozen=True, eq=False)
class PicturesAndMasks(PictureCoder):
    """The colours of the pictures and the names of the classes.

    Args:
        labels: the names: numbers, or colours such as `#ff8000`.
    """

    labels: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {**super().sizes, "classes": len(self.labels), "labels": self.labels}

    def kept(self, rows: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
        """The pictures and masks of some rows; raises `ValueError` for two of different sizes."""
        places = {self._code(label): place for place, label in enumerate(self.labels)}
        pictures, masks = [], []
        for one, other in zip(rows["image"], rows["mask"], strict=True):
            picture, mask = PictureCell(one), PictureCell(other)
            found = decoded(picture.content, picture.name)
            codes, _ = mask_codes(mask)
            if codes.shape != found.shape[:2]:
                turned = codes.shape == found.shape[1::-1] and is_turned(picture.content)
                raise ValueError(
                    f"the picture {picture.name} is {_said(found)} pixels, and its mask "
                    f"{mask.name} {_said(codes)}; they must have one size"
                    + "; the picture is turned as its EXIF says: turn the mask, too"
                    * turned
                )
            found, classes = in_proportion(found), in_proportion(numbered(codes, places))
            pictures.append(with_short_side(found, self.short_side))
            masks.append(resized_mask(classes, short_side_size(found, self.short_side)))
        return {"pictures": pictures, "masks": masks}

    def numbers(self, rows: Mapping[str, Any], judged: bool) -> list[int]:
        """No picture has a label as a whole."""
        return [-1] * len(rows["image"])

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> PictureExamples:
        """Encode rows of a stream."""
        columns = {name: [row[name] for row in rows] for name in ("image", "mask")}
        kept = self.kept(columns)
        labels = np.full(len(rows), -1, dtype=np.int32)
        return PictureExamples(Pictures.of(kept["pictures"]), labels, Pictures.of(kept["masks"]))

    def collate(
        self,
        examples: PictureExamples,
        rows: np.ndarray,
        augment: Augment = Unchanged(),
        key: tuple[int, int] = (0, 0),
    ) -> MaskedPictures:
        """These examples as a batch, augmented for an epoch if one is given."""
        assert examples.masks is not None, "pictures of this task have masks"
        fill, unknown = self.colors.fill, np.array([UNKNOWN], dtype=np.uint8)
        pictures, masks = list[np.ndarray](), list[np.ndarray]()
        for row in map(int, rows):
            # The same draws for both.
            for some, each, empty in (
                (pictures, examples.pictures[row], fill),
                (masks, examples.masks[row], unknown),
            ):
                some.append(augment.changed(each, self.shape, empty, changes(key, row)))
        whole = np.stack(masks) if masks else np.zeros((0, *self.shape, 1), dtype=np.uint8)
        mask = torch.from_numpy(whole[..., 0].astype(np.int64))
        return MaskedPictures(self.read(pictures), mask.masked_fill(mask == UNKNOWN, -1))

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        save_labels(self.labels, folder)
        return [*super().save(folder), LABELS]

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PicturesAndMasks":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = coder_entries(folder, entries)
        return cls(Colors.load(folder), **known, labels=load_labels(folder))

    @staticmethod
    def _code(label: str) -> int:
        return int(label[1:], 16) if label.startswith("#") else int(label)


def classes_of(
    splits: Mapping[str, Any], ignored: str, edges: EdgesAre = "refused"
) -> tuple[str, ...]:
    """The classes of all masks, sorted by their numbers or colours, without the ignored one.

    Args:
        edges: what becomes of values that stand at edges alone.

    Raises `ValueError` for masks of numbers beside masks of colours, for antialiased edges, for
    more classes than anybody means, and where fewer than two are left.
    """
    codes: set[int] = set()
    inside: set[int] = set()
    first: tuple[str, bool] | None = None
    for name, found, colored in _masks(splits):
        first = first or (name, colored)
        if colored != first[1]:
            of_colors, of_numbers = (name, first[0]) if colored else (first[0], name)
            raise ValueError(
                f"{of_colors} is a mask of colours and {of_numbers} one of numbers; write all alike"
            )
        codes.update(np.unique(found).tolist())
        inside |= codes_inside(found)
        if len(codes) - len(edge_codes(codes, inside)) > MOST_CLASSES:
            raise ValueError(
                f"{name} and the masks before it have {len(codes):,} different values, and "
                f"{MOST_CLASSES} classes are the most; is it a mask, with one value for each class?"
            )
    assert first is not None, "no split is empty"
    between = set() if edges == "learned" else edge_codes(codes, inside)
    if between and edges == "refused":
        there = class_names(sorted(inside), first[1])
        raise ValueError(
            f"the masks have {len(codes):,} different values, of which only {_few(there)} fill "
            f"areas, and the others, such as {_few(class_names(sorted(between), first[1])[:3])}, "
            "stand at edges alone, as antialiasing makes them; resize masks by the nearest pixel "
            "and draw them without smoothing, or say edges=ignored (--set edges=ignored) to learn "
            "and judge nothing there, or edges=learned if they are classes"
        )
    codes -= between
    names = class_names(sorted(codes), first[1])
    left = tuple(name for name in names if name != ignored)
    if ignored and len(left) == len(names):
        raise ValueError(f"no pixel is of the class {ignored!r} (ignored); there are {_few(names)}")
    if len(left) < 2:
        raise ValueError(
            f"all pixels are of the class {', '.join(left)}; at least 2 different ones are needed"
        )
    return left


def _masks(splits: Mapping[str, Any]) -> Iterable[tuple[str, np.ndarray, bool]]:
    for rows in splits.values():
        for start in range(0, len(rows), AT_ONCE):
            for cell in rows[start : start + AT_ONCE]["mask"]:
                yield PictureCell(cell).name, *mask_codes(cell)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _said(picture: np.ndarray) -> str:
    return f"{picture.shape[0]} by {picture.shape[1]}"
