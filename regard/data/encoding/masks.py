"""Masks: pictures whose pixels are classes, by their number or by their colour."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from regard._io.extra import extra
from regard.data.encoding.decoded import refused
from regard.data.reading.pictures import PictureCell

UNKNOWN = 255
"""The number of a pixel whose class is not known."""
MOST_CLASSES = 255
FEWEST_EDGES = 3
"""Values at edges alone from which on these are none of classes."""
_NUMBERED = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's names of pictures whose pixels are numbers."""

Codes = Int[np.ndarray, "height width"]


def mask_codes(cell: bytes) -> tuple[Codes, bool]:
    """What stands at each pixel of a mask, and whether these are colours (red, green, blue).

    Of a picture with a palette it is the number, not the colour; an alpha channel says nothing.
    The mask is turned as its EXIF says.

    Raises `ValueError` with the name for what cannot be read, for a format that changes colours
    where it saves space, and for numbers that are not whole.
    """
    picture = PictureCell(cell)
    with refused(picture.name), extra("PIL.Image").open(BytesIO(picture.content)) as opened:
        if lossy := _lossy(opened, picture.content):
            raise ValueError(
                f"{picture.name} is a mask in {lossy}, which changes colours; write masks as PNG"
            )
        opened.load()
        upright = extra("PIL.ImageOps").exif_transpose(opened)
        if upright.mode in _NUMBERED:
            return np.asarray(upright).astype(np.int64), False
        if upright.mode == "LA":
            return np.asarray(upright)[:, :, 0].astype(np.int64), False
        if upright.mode == "F":
            numbers = np.asarray(upright)
            if not (np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()):
                raise ValueError(
                    f"{picture.name} is a mask of numbers that are not whole; write the number of "
                    "a class at each pixel"
                )
            return numbers.astype(np.int64), False
        red, green, blue = np.moveaxis(np.asarray(upright.convert("RGB")).astype(np.int64), 2, 0)
    return red * 65_536 + green * 256 + blue, True


def codes_inside(codes: Codes) -> set[int]:
    """What stands at pixels whose four neighbours are alike: what fills areas.

    >>> codes_inside(np.array([[0, 0, 0, 5], [0, 0, 0, 9], [0, 0, 0, 9]]))
    {0}
    """
    inner = codes[1:-1, 1:-1]
    around = (codes[:-2, 1:-1], codes[2:, 1:-1], codes[1:-1, :-2], codes[1:-1, 2:])
    alike = np.logical_and.reduce([inner == each for each in around])
    return {int(code) for code in np.unique(inner[alike])}


def edge_codes(codes: set[int], inside: set[int]) -> set[int]:
    """Those that stand at edges alone, where there are so many that antialiasing made them.

    >>> sorted(edge_codes({0, 60, 125, 190, 255}, {0, 255})), edge_codes({0, 1, 2}, {0, 1})
    ([60, 125, 190], set())
    """
    edges = codes - inside
    several = len(inside) > 1 and len(edges) >= max(FEWEST_EDGES, len(inside))
    return edges if several else set()


def _lossy(opened: Any, content: bytes) -> str:
    """The format of a picture whose colours are not those that were written; "" for others."""
    if opened.format in ("JPEG", "MPO"):
        return "JPEG"
    if opened.format == "TIFF" and opened.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"):
        return "TIFF with the compression of JPEG or WebP"
    if opened.format == "WEBP" and b"VP8 " in _chunks(content):
        return "WebP with losses"
    return ""


def _chunks(content: bytes) -> Iterator[bytes]:
    """The kinds of the parts of a WebP file; frames of an animation are not looked into."""
    place = 12
    while place + 8 <= len(content):
        yield content[place : place + 4]
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + size + size % 2


def class_names(codes: Sequence[int], colored: bool) -> tuple[str, ...]:
    """What classes are called: by their numbers, or by their colours.

    >>> class_names([0, 7], False), class_names([0, 0xFF8000], True)
    (('0', '7'), ('#000000', '#ff8000'))
    """
    return tuple(f"#{code:06x}" if colored else str(code) for code in codes)


def numbered(codes: Codes, places: Mapping[int, int]) -> UInt8[np.ndarray, "height width 1"]:
    """The number of the class of each pixel, `UNKNOWN` where that is none of these.

    >>> numbered(np.array([[7, 0, 9]]), {0: 0, 7: 1}).tolist()
    [[[1], [0], [255]]]
    """
    found, where = np.unique(codes, return_inverse=True)
    table = np.array([places.get(int(code), UNKNOWN) for code in found], dtype=np.uint8)
    return table[where].reshape(*codes.shape, 1)


def resized_mask(
    mask: np.ndarray, size: tuple[int, int], box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """A mask of another size, or a part of it: each pixel the one that lay in its middle.

    Args:
        box: left, top, right and bottom of the part.

    >>> resized_mask(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), (4, 4))[:, :, 0].tolist()[0]
    [0, 0, 1, 1]
    """
    left, top, right, bottom = box or (0, 0, mask.shape[1], mask.shape[0])
    rows = top + (np.arange(size[0]) + 0.5) * (bottom - top) / size[0]
    columns = left + (np.arange(size[1]) + 0.5) * (right - left) / size[1]
    return mask[rows.astype(int)[:, None], columns.astype(int)[None]]
