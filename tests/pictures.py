"""Small pictures made by Pillow, as cells and as files."""

from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from regard._io.extra import extra
from regard.data.reading.pictures import PictureCell

Color = tuple[int, ...] | int


def drawn(color: Color, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Any:
    """A Pillow image of this width and height, whose colour fades from the left to the right."""
    image = extra("PIL.Image").new(mode, size, color)
    if mode == "RGB":
        fading = np.array(image).astype(float) * np.linspace(1.0, 0.5, size[0])[None, :, None]
        return extra("PIL.Image").fromarray(fading.astype(np.uint8))
    return image


def encoded(image: Any, form: str = "PNG", **more: Any) -> bytes:
    """The bytes of its file."""
    file = BytesIO()
    image.save(file, format=form, **more)
    return file.getvalue()


def png(color: Color, size: tuple[int, int] = (8, 8), name: str = "a.png") -> PictureCell:
    """A picture as a cell."""
    return PictureCell.of(name, encoded(drawn(color, size)))


def drawn_file(color: Color, size: tuple[int, int] = (8, 8), path: Path | None = None) -> Path:
    """A picture in a file, in a folder of its own if none is named."""
    path = path or Path(mkdtemp(prefix="regard-tests-")) / "a.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(drawn(color, size)))
    return path


def mask_of(size: tuple[int, int], number: int, name: str) -> PictureCell:
    """A mask of this width and height, of classes 0 and 2 on two sides of a column."""
    pixels = np.zeros((size[1], size[0]), dtype=np.uint8)
    pixels[:, : 1 + number % (size[0] - 1)] = 2
    return PictureCell.of(name, encoded(extra("PIL.Image").fromarray(pixels)))
