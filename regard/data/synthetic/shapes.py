"""Shapes of any size, turn and colour before any other, to be told by their outlines alone."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, UInt8

from regard.data.reading.pictures import PictureCell
from regard.data.schema import SPLITS
from regard.data.synthetic.drawing import Outline, covered, png

SIZE = 32
LEAST_APART = 0.25
"""Of the brightness of a shape and of what is behind it, where white is 1."""


def _round(radius: float = 1.0, points: int = 40, start: float = 0.0) -> np.ndarray:
    angles = start + np.arange(points) * 2 * np.pi / points
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star(points: int, inner: float) -> np.ndarray:
    line = _round(points=2 * points)
    line[1::2] *= inner
    return line


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    down = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -down], axis=1) / 16


def _crescent() -> np.ndarray:
    outer = np.linspace(0.6, 2 * np.pi - 0.6, 30)
    inner = np.linspace(2 * np.pi - 0.95, 0.95, 30)
    edge = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    hollow = np.stack([0.25 + 0.7 * np.cos(inner), 0.7 * np.sin(inner)], axis=1)
    return np.concatenate([edge, hollow])


_ARM = 0.3
_CROSS = [(_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM), (_ARM, 1)]
_ARROW = [(1, 0), (0.2, -0.7), (0.2, -0.25), (-1, -0.25), (-1, 0.25), (0.2, 0.25), (0.2, 0.7)]

OUTLINES: dict[str, Outline] = {
    "arrow": (np.array(_ARROW, dtype=float),),
    "circle": (_round(),),
    "crescent": (_crescent(),),
    "cross": (np.array([*_CROSS, *[(-x, -y) for x, y in _CROSS]], dtype=float),),
    "heart": (_heart(),),
    "hexagon": (_round(points=6),),
    "ring": (_round(), _round(0.55)),
    "square": (_round(points=4),),
    "star": (_star(5, 0.42),),
    "triangle": (_round(points=3),),
}
"""Name → its outline; none of them is the mirror image of another."""


def shape_rows(split: str, count: int, seed: int) -> Iterator[tuple[PictureCell, str]]:
    """`count` pictures of 32 by 32 of a split, a shape in each, and its name; by the seed.

    Raises `ValueError` for an unknown split, `ImportError` without the extra `image`.

    >>> picture, label = next(shape_rows("train", 1, seed=3))
    >>> picture.name, label
    ('shape-00000.png', 'crescent')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng, names = np.random.default_rng([seed, SPLITS.index(split), 1]), list(OUTLINES)
    for number in range(count):
        name = names[int(rng.integers(len(names)))]
        behind, ink = two_colors(rng)
        share = covered(placed(OUTLINES[name], rng, (0.55, 0.9)), SIZE)
        picture = np.broadcast_to(behind, (SIZE, SIZE, 3))
        picture = picture + share[:, :, None] * (ink - behind)
        yield png(noisy(picture, rng), f"shape-{number:05}.png"), name


def placed(outline: Outline, rng: np.random.Generator, sizes: tuple[float, float]) -> Outline:
    """An outline turned, resized and moved, so that all of it is in the picture."""
    size, turn = rng.uniform(*sizes), rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    shift = rng.uniform(-(1 - size), 1 - size, 2)
    form = size * np.array([[cos, sin], [-sin, cos]])
    return tuple(line @ form + shift for line in outline)


def noisy(
    picture: Float[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture from 0 to 1 in bytes, with as much noise as chance has it."""
    noise = rng.normal(0.0, rng.uniform(0.0, 0.05), picture.shape)
    return (np.clip(picture + noise, 0, 1) * 255).astype(np.uint8)


def two_colors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours that can be told apart in grey."""
    one = rng.uniform(0, 1, 3)
    return one, other_color(one, rng)


def other_color(one: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour that can be told from another one in grey."""
    while True:
        other = rng.uniform(0, 1, 3)
        if abs(one.mean() - other.mean()) >= LEAST_APART:
            return other
