"""Accepted image inputs: paths, bytes, arrays, Pillow images."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from regard._printable import shortened, shown
from regard.data.encoding.decoded import RGB, decoded
from regard.data.reading.paths import not_there
from regard.data.reading.pictures import (
    PictureCell,
    checked_picture,
    picture_cell,
    read_picture,
)

MOST_SAID = 400
"""Maximum characters of a path in the message about a missing image."""


def picture_of(given: Any, where: str = "the picture") -> tuple[str, RGB]:
    """The name and the pixels of an image input.

    Raises `ValueError` or `FileNotFoundError` for a file that cannot be read, and `TypeError` for
    anything but a path, bytes, an array `[height, width]` or `[height, width, 3]` of integers from
    0 to 255, or a Pillow image.

    >>> name, picture = picture_of(np.zeros((2, 3), np.uint8))
    >>> name, picture.shape
    ('a picture of 2 × 3 pixels', (2, 3, 3))
    """
    if isinstance(given, PictureCell):
        return given.name, decoded(given.content, given.name)
    if isinstance(given, (str, Path)):
        cell = checked_picture(read_picture(_file(given, where)))
        return cell.name, decoded(cell.content, cell.name)
    if isinstance(given, (bytes, bytearray)):
        cell = checked_picture(picture_cell(where, bytes(given), where))
        return cell.name, decoded(cell.content, where)
    if isinstance(given, np.ndarray):
        return _named(_of_array(given, where))
    if hasattr(given, "save") and hasattr(given, "mode"):
        file = BytesIO()
        given.save(file, format="PNG" if given.mode != "CMYK" else "TIFF")
        return _named(decoded(file.getvalue(), where))
    raise TypeError(
        f"{where} must be the path of a picture, its bytes, an array of numbers from 0 to 255 or "
        f"an image of Pillow's, got {shown(given)}"
    )


def _file(given: str | Path, where: str) -> Path:
    try:
        path = Path(given).expanduser()
        if path.is_file():
            return path
        said = f"{path} is a folder; name a picture in it" if path.is_dir() else not_there(path)
    except (OSError, ValueError, RuntimeError):  # No system has a file of such a name.
        said = f"no file is called {shown(str(given))}"
    raise ValueError(f"{where}: {shortened(said, MOST_SAID)}")


def pictures_of(given: Sequence[Any]) -> list[tuple[str, RGB]]:
    """The names and the pixels of several."""
    count = len(given)
    return [picture_of(each, f"picture {n} of {count}") for n, each in enumerate(given, 1)]


def _of_array(given: np.ndarray, where: str) -> RGB:
    grey = given[:, :, None] if given.ndim == 2 else given
    if grey.ndim != 3 or grey.shape[2] not in (1, 3) or 0 in grey.shape or grey.dtype != np.uint8:
        raise ValueError(
            f"{where} must be an array of bytes (uint8) [height, width] or [height, width, 3], got "
            f"{given.dtype} {[*given.shape]}"
        )
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)))


def _named(picture: RGB) -> tuple[str, RGB]:
    return f"a picture of {picture.shape[0]} × {picture.shape[1]} pixels", picture
