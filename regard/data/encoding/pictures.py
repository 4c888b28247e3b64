"""Decoded pictures in files that are read through memory and may be larger than it."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from regard._io.files import read_json_file, write_whole
from regard.data.encoding.decoded import RGB, decoded, middle, with_short_side
from regard.data.reading.pictures import PictureCell

AT_ONCE = 64
"""Rows that are in memory together."""
LONGEST = 3
"""How many times as long as wide a picture is kept at most; of a longer one the middle."""
ENTRY = "pictures.json"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of different sizes in one flat array.

    >>> some = Pictures.of([np.zeros((2, 3, 3), np.uint8), np.ones((1, 1, 3), np.uint8)])
    >>> len(some), some[0].shape, some[1].tolist()
    (2, (2, 3, 3), [[[1, 1, 1]]])
    """

    values: np.ndarray
    sizes: Int[np.ndarray, "n 3"]

    @classmethod
    def of(cls, pictures: Sequence[np.ndarray]) -> "Pictures":
        """These pictures, `[height, width, channels]` each."""
        values = [each.reshape(-1) for each in pictures] or [np.zeros(0, dtype=np.uint8)]
        return cls(np.concatenate(values), _sizes(pictures))

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def _offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.sizes.astype(np.int64).prod(1))])

    def __getitem__(self, row: int | np.integer) -> np.ndarray:
        """One picture."""
        start, stop = self._offsets[row], self._offsets[row + 1]
        return np.asarray(self.values[start:stop]).reshape(self.sizes[row])


@dataclass(frozen=True, eq=False)
class PictureExamples:
    """The pictures of a split, and what is learned of each.

    Args:
        labels: the number of each picture's label, -1 for one that is not known.
        masks: a class for each pixel of each picture, where that is what is learned.
    """

    pictures: Pictures
    labels: Int[np.ndarray, " n"]
    masks: Pictures | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def rows(self) -> np.ndarray:
        """Which row of the data each is: none is left out."""
        return np.arange(len(self))

    @property
    def lengths(self) -> np.ndarray:
        """All pictures are read alike, so that any may be in one batch."""
        return np.ones((len(self), 1), dtype=np.int32)


Kept = Mapping[str, list[np.ndarray]]
"""`pictures`, and `masks` where there are any, of some rows."""


def kept_picture(cell: bytes, side: int) -> RGB:
    """A picture as it is kept: its shorter side so long, or the middle of a very long one."""
    picture = PictureCell(cell)
    return with_short_side(in_proportion(decoded(picture.content, picture.name)), side)


def in_proportion(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture that is more than `LONGEST` times as long as wide, or it itself.

    >>> in_proportion(np.zeros((2, 90, 3), np.uint8)).shape
    (2, 6, 3)
    """
    longest = LONGEST * min(picture.shape[:2])
    return middle(picture, (min(picture.shape[0], longest), min(picture.shape[1], longest)))


def write_pictures(
    dataset: Any,
    path: Path,
    kept: Callable[[Mapping[str, Any]], Kept],
    labels: Callable[[Mapping[str, Any]], Sequence[int]],
) -> PictureExamples:
    """Write the pictures of a split into the folder `path` and open it; what was there is replaced.

    Args:
        kept: what is kept of some rows.
        labels: the numbers of their labels.

    Raises `ValueError` for a picture that cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".encoding-", dir=path.parent))
    try:
        sizes: dict[str, int] = {}
        for name, values in _arrays(dataset, kept, labels):
            with open(work / name, "ab") as file:
                file.write(values.tobytes())
                sizes[name] = file.tell()
        write_whole(work / ENTRY, json.dumps(sizes).encode())
        shutil.rmtree(path, ignore_errors=True)
        os.replace(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return open_pictures(path)


def open_pictures(path: Path) -> PictureExamples:
    """Open what `write_pictures` wrote; raises `ValueError` when it is not all there."""
    try:
        sizes: dict[str, int] = read_json_file(path / ENTRY)
        whole = all((path / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} holds no pictures: {error}") from None
    if not whole:
        raise ValueError(f"{path} is damaged: a file has lost or gained bytes; remove the folder")
    labels = np.array(_mapped(path / "labels", np.int32))
    masks = _opened(path, "masks") if "masks.sizes" in sizes else None
    return PictureExamples(_opened(path, "pictures"), labels, masks)


def _arrays(
    dataset: Any,
    kept: Callable[[Mapping[str, Any]], Kept],
    labels: Callable[[Mapping[str, Any]], Sequence[int]],
) -> Iterator[tuple[str, np.ndarray]]:
    for start in range(0, len(dataset), AT_ONCE):
        rows = dataset[start : start + AT_ONCE]
        for name, some in kept(rows).items():
            yield f"{name}.sizes", _sizes(some).astype("<i4")
            for each in some:
                yield f"{name}.values", np.ascontiguousarray(each)
        yield "labels", np.array(labels(rows), dtype="<i4")


def _sizes(pictures: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([each.shape for each in pictures], dtype=np.int32).reshape(-1, 3)


def _opened(path: Path, name: str) -> Pictures:
    sizes = np.array(_mapped(path / f"{name}.sizes", np.int32)).reshape(-1, 3)
    return Pictures(_mapped(path / f"{name}.values", np.uint8), sizes)


def _mapped(path: Path, dtype: Any) -> np.ndarray:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)
