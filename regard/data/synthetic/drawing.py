"""Small pictures drawn by arithmetic: which pixels lie within lines, and files of the result."""

from io import BytesIO

import numpy as np
from jaxtyping import Float, UInt8

from regard._io.extra import extra
from regard.data.reading.pictures import PictureCell

Outline = tuple[Float[np.ndarray, "_ 2"], ...]
"""Closed lines through points, from -1 to 1 across and down; what lies within two is outside."""
FINER = 3
"""Places that are looked at along each side of a pixel."""


def covered(outline: Outline, size: int) -> Float[np.ndarray, "size size"]:
    """The share of each pixel of a square picture that lies within the lines.

    >>> square = np.array([[-1.0, -1.0], [0.0, -1.0], [0.0, 1.0], [-1.0, 1.0]])
    >>> covered((square,), 2).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    along = (np.arange(size * FINER) + 0.5) / (size * FINER) * 2 - 1
    inside = np.zeros((len(along), len(along)), dtype=bool)
    for line in outline:
        for (x, y), (to_x, to_y) in zip(line, np.roll(line, -1, axis=0), strict=True):
            if y == to_y:
                continue
            crossed = (along >= min(y, to_y)) & (along < max(y, to_y))
            border = x + (along - y) / (to_y - y) * (to_x - x)
            inside ^= crossed[:, None] & (along[None] > border[:, None])
    return inside.reshape(size, FINER, size, FINER).mean((1, 3))


def png(picture: UInt8[np.ndarray, "..."], name: str) -> PictureCell:
    """A picture as the cell of a corpus."""
    file = BytesIO()
    extra("PIL.Image").fromarray(picture).save(file, format="PNG")
    return PictureCell.of(name, file.getvalue())
