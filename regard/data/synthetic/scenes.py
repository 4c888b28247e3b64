"""Several shapes before and behind each other, and a mask that says which is where."""

from collections.abc import Iterator

import numpy as np

from regard.data.reading.pictures import PictureCell
from regard.data.schema import SPLITS
from regard.data.synthetic.drawing import covered, png
from regard.data.synthetic.shapes import OUTLINES, noisy, other_color, placed, two_colors

SIZE = 48
SHAPES = ("circle", "cross", "ring", "triangle")
"""What is told apart, numbered from 1; 0 is what is behind."""
MOST = 4
"""Shapes in one picture."""


def scene_rows(split: str, count: int, seed: int) -> Iterator[tuple[PictureCell, PictureCell]]:
    """`count` pictures of 48 by 48 of a split and their masks, the same for each seed.

    Raises `ValueError` for an unknown split, `ImportError` without the extra `image`.

    >>> picture, mask = next(scene_rows("train", 1, seed=0))
    >>> picture.name, mask.name
    ('scene-00000.png', 'mask-00000.png')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng = np.random.default_rng([seed, SPLITS.index(split), 2])
    for number in range(count):
        picture, mask = drawn_scene(rng)
        yield png(picture, f"scene-{number:05}.png"), png(mask, f"mask-{number:05}.png")


def drawn_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its mask, drawn as chance has it; what is drawn later lies before the rest."""
    behind, ink = two_colors(rng)
    picture = np.broadcast_to(behind, (SIZE, SIZE, 3)).copy()
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for _ in range(int(rng.integers(1, MOST + 1))):
        number = int(rng.integers(len(SHAPES)))
        share = covered(placed(OUTLINES[SHAPES[number]], rng, (0.3, 0.55)), SIZE)
        picture += share[:, :, None] * (ink - picture)
        mask[share >= 0.5] = number + 1
        ink = other_color(behind, rng)
    return noisy(picture, rng), mask
