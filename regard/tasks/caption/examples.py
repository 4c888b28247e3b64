"""Captions as numbers, and each picture once, however many captions it has."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from regard.data.encoding.examples import Examples, load_examples
from regard.data.encoding.pictures import Pictures, open_pictures
from regard.tasks.caption.pointers import Pointers

AT_ONCE = 64
"""Rows whose pictures are in memory together."""
PICTURES, CAPTIONS = "pictures", "captions"
WHICH, POINTERS = "which.npy", "pointers.npy"


@dataclass(frozen=True, eq=False)
class CaptionExamples:
    """The captions of a split, and what they are about.

    Args:
        which: the picture of each row of the data.
        pointers: which tokens should look where.
    """

    pictures: Pictures
    captions: Examples
    which: Int[np.ndarray, " rows"]
    pointers: Pointers

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def rows(self) -> np.ndarray:
        """Which row of the data each caption is; those that are too long may be missing."""
        return self.captions.rows

    @property
    def lengths(self) -> np.ndarray:
        """All the same, so that captions of a picture, which stand together, are asked together."""
        return np.ones((len(self), 1), dtype=np.int32)

    def pictures_of(self, rows: np.ndarray) -> Int[np.ndarray, " n"]:
        """The numbers of the pictures that these captions are about."""
        return self.which[self.rows[rows]]

    def pointers_of(self, row: int) -> Pointers:
        """Where the tokens of a caption should look."""
        place = self.rows[row]
        first, behind = np.searchsorted(self.pointers[:, 0], [place, place + 1])
        return self.pointers[first:behind]


@dataclass(frozen=True)
class ChosenRows:
    """The pictures of some rows of a split, in an order."""

    rows: Any
    chosen: Sequence[int]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, some: slice) -> dict[str, list[Any]]:
        return {"image": [self.rows[row : row + 1]["image"][0] for row in self.chosen[some]]}


def each_once(rows: Any) -> tuple[list[int], Int[np.ndarray, " rows"]]:
    """The rows with which a picture comes for the first time, and the picture of each row."""
    known: dict[bytes, int] = {}
    firsts, which = list[int](), list[int]()
    for start in range(0, len(rows), AT_ONCE):
        for place, cell in enumerate(rows[start : start + AT_ONCE]["image"], start):
            key = hashlib.blake2b(cell, digest_size=16).digest()
            if key not in known:
                known[key] = len(known)
                firsts.append(place)
            which.append(known[key])
    return firsts, np.array(which, dtype=np.int64)


def open_captions(path: Path) -> CaptionExamples:
    """Open what a split's captions and pictures were written into.

    Raises `ValueError` when it is not all there.
    """
    try:
        which, pointers = (np.load(path / name) for name in (WHICH, POINTERS))
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} holds no captions of pictures: {error}") from None
    pictures = open_pictures(path / PICTURES).pictures
    return CaptionExamples(pictures, load_examples(path / CAPTIONS), which, pointers)
