"""Decoding image files to RGB, 0 to 255, upright."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8

from regard._io.extra import extra
from regard._printable import shortened
from regard.data.reading.pictures import UnreadablePictureError

RGB = UInt8[np.ndarray, "_ _ 3"]
Picture = UInt8[np.ndarray, "_ _ channels"]
"""Colors, or the classes of a mask."""
Fill = UInt8[np.ndarray, " channels"]
"""The color of padding around an image."""
Size = tuple[int, int]
"""Height and width."""

_ORIENTATION = 0x0112
"""EXIF's number of how an image is turned."""
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Pillow's modes of grayscale with more than 8 bits."""
_CLEAR = ("RGBA", "LA", "PA", "La", "RGBa")
"""Pillow's modes of colors with an alpha channel."""


def decoded(content: bytes, name: str) -> RGB:
    """Decode an image of any format and color mode to RGB.

    EXIF orientation is applied. Grayscale becomes three equal channels, 16-bit values lose their
    lower 8 bits; palettes, CMYK and other modes become RGB; transparency is composited on white.
    Of several frames the first is used.

    Raises `UnreadablePictureError` with the name for an image that is damaged, truncated or too
    large, or whose value range does not define white, and `ImportError` without the extra `image`.
    """
    with refused(name):
        with extra("PIL.Image").open(BytesIO(content)) as opened:
            opened.load()
            upright = extra("PIL.ImageOps").exif_transpose(opened)
            return np.array(_as_rgb(upright, name))


def is_turned(content: bytes) -> bool:
    """Whether the EXIF of an image swaps its height and width."""
    with extra("PIL.Image").open(BytesIO(content)) as opened:
        return opened.getexif().get(_ORIENTATION) in (5, 6, 7, 8)


def resized(picture: RGB, size: Size, box: tuple[int, int, int, int] | None = None) -> RGB:
    """A resized image, or part of it: each pixel a weighted mean of those it covers.

    Args:
        box: left, top, right and bottom of the part.

    >>> resized(np.full((4, 6, 3), 7, np.uint8), (2, 3)).tolist()[0][0]
    [7, 7, 7]
    """
    if picture.shape[:2] == size and box is None:
        return picture
    image = extra("PIL.Image")
    drawn = image.fromarray(np.ascontiguousarray(picture))
    made = drawn.resize((size[1], size[0]), image.Resampling.BILINEAR, box=box)
    return np.array(made)


def short_side_size(picture: np.ndarray, side: int) -> Size:
    """The size of an image with this shorter side and the same aspect ratio.

    >>> short_side_size(np.zeros((4, 6, 3)), 8)
    (8, 12)
    """
    height, width = picture.shape[:2]
    scale = side / min(height, width)
    return max(side, round(height * scale)), max(side, round(width * scale))


def with_short_side(picture: RGB, side: int) -> RGB:
    """The image resized to this shorter side, with the same aspect ratio."""
    return resized(picture, short_side_size(picture, side))


def middle(picture: Picture, size: Size) -> Picture:
    """The center crop of an image, which must be at least as large.

    >>> middle(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), (1, 2)).shape
    (1, 2, 3)
    """
    top = round((picture.shape[0] - size[0]) / 2)
    left = round((picture.shape[1] - size[1]) / 2)
    return picture[top : top + size[0], left : left + size[1]]


def _as_rgb(opened: Any, name: str) -> Any:
    """A Pillow image in the mode RGB."""
    image = extra("PIL.Image")
    if opened.mode in _WIDE:
        wide = np.asarray(opened).astype(np.int64)
        if wide.size and (wide.min() < 0 or wide.max() > 65_535):
            raise UnreadablePictureError(
                f"{name} has greys from {wide.min():,} to {wide.max():,}, and what is white is not "
                "known; write it with 8 or 16 bits"
            )
        return image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if opened.mode == "F":
        raise UnreadablePictureError(
            f"{name} has numbers with a point for greys, and what is white is not known; write it "
            "with 8 or 16 bits"
        )
    if opened.mode in _CLEAR or "transparency" in opened.info:
        clear = opened.convert("RGBA")
        white = image.new("RGBA", clear.size, (255, 255, 255, 255))
        return image.alpha_composite(white, clear).convert("RGB")
    return opened.convert("RGB")


@contextmanager
def refused(name: str) -> Iterator[None]:
    """Turn Pillow's errors about an unreadable image into one that names it."""
    image = extra("PIL.Image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", image.DecompressionBombWarning)
            yield
    except (image.DecompressionBombWarning, image.DecompressionBombError) as error:
        count = re.search(r"\d+(?= pixels)", str(error))
        has = f"{int(count[0]):,} pixels, " if count else ""
        raise UnreadablePictureError(
            f"{name} has {has}more than the {image.MAX_IMAGE_PIXELS:,} that are read; make it "
            "smaller"
        ) from None
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # each format has errors of its own, `struct.error` among them
        if isinstance(error, ValueError) and str(error).startswith(name):
            raise
        raise UnreadablePictureError(_said(name, error)) from None


def _said(name: str, error: Exception) -> str:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    why = "it is none that is known" if why.startswith("cannot identify") else why
    return (
        f"{name} is a damaged picture: {shortened(why, 200)}; take it out, or put a whole one in "
        "its place"
    )
