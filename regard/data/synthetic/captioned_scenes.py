"""Scenes of two or three rows of shapes, and a sentence that says which is where."""

from collections.abc import Iterator

import numpy as np

from regard.data.reading.pictures import PictureCell
from regard.data.schema import SPLITS
from regard.data.synthetic.drawing import covered, png
from regard.data.synthetic.shapes import OUTLINES, noisy, placed

TILE = 16
"""Pixels along each side of what one shape is drawn in."""
SHAPES = ("circle", "cross", "heart", "ring", "star", "triangle")
INKS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.7, 0.1),
    "blue": (0.15, 0.25, 0.95),
    "yellow": (0.95, 0.9, 0.1),
    "white": (1.0, 1.0, 1.0),
}
DARKEST, LIGHTEST = 0.0, 0.35
"""Of what is behind a shape, where white is 1."""

Boxes = str
"""Words with where they are: `circle 0 0 0.5 0.5`, from the left and the top, tabs between."""


def captioned_rows(
    split: str, count: int, seed: int, side: int = 2
) -> Iterator[tuple[PictureCell, str, Boxes]]:
    """`count` pictures of `side` by `side` shapes of a split, their sentences and their boxes.

    Raises `ValueError` for an unknown split, `ImportError` without the extra `image`.

    >>> picture, caption, boxes = next(captioned_rows("train", 1, seed=0))
    >>> caption
    'a blue cross beside a yellow ring above a blue heart beside a white heart'
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng = np.random.default_rng([seed, SPLITS.index(split), side])
    inks = list(INKS)
    for number in range(count):
        shapes = [SHAPES[n] for n in rng.integers(len(SHAPES), size=side * side)]
        colors = [inks[n] for n in rng.integers(len(inks), size=side * side)]
        tiles = [_tile(*each, rng) for each in zip(shapes, colors, strict=True)]
        rows = [np.concatenate(tiles[n * side : (n + 1) * side], 1) for n in range(side)]
        picture = png(noisy(np.concatenate(rows), rng), f"scene-{number:05}.png")
        things = [f"a {color} {shape}" for color, shape in zip(colors, shapes, strict=True)]
        yield picture, sentence(things, side), boxes_of(shapes, side)


def sentence(things: list[str], side: int) -> str:
    """What is beside what, row by row, and which row is above which.

    >>> sentence(["a cat", "a dog", "a bird", "a ship"], 2)
    'a cat beside a dog above a bird beside a ship'
    """
    rows = [" beside ".join(things[n * side : (n + 1) * side]) for n in range(side)]
    return " above ".join(rows)


def boxes_of(words: list[str], side: int) -> Boxes:
    r"""The boxes of words whose things fill the tiles of a square, row by row.

    >>> boxes_of(["cat", "dog", "bird", "ship"], 2).split("\t")[1]
    'dog 0.5 0 1 0.5'
    """
    found = []
    for number, word in enumerate(words):
        row, column = divmod(number, side)
        edges = (column / side, row / side, (column + 1) / side, (row + 1) / side)
        found.append(" ".join((word, *(f"{round(edge, 6):g}" for edge in edges))))
    return "\t".join(found)


def _tile(shape: str, color: str, rng: np.random.Generator) -> np.ndarray:
    behind = np.broadcast_to(rng.uniform(DARKEST, LIGHTEST), (TILE, TILE, 3))
    share = covered(placed(OUTLINES[shape], rng, (0.7, 0.9)), TILE)
    return behind + share[:, :, None] * (np.array(INKS[color]) - behind)
