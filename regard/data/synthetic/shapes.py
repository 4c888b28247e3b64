"""Shapes and digits in any colour before any other, to be told by their outlines alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from regard.data.reading.pictures import PictureCell
from regard.data.schema import SPLITS
from regard.data.synthetic.digits import DIGITS
from regard.data.synthetic.drawing import Outline, covered, png

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


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pictures of one form each are drawn.

    Args:
        name: of their files.
        forms: what is told apart; each is what lies within any of its outlines.
        size: pixels along each side of what holds the form.
        sizes: how large the form is in there, from and to.
        turns: how far it is turned, from and to.
        canvas: pixels along each side of the picture, in which the form stands anywhere; 0 for no
            more than what holds it.
        clutter: how many pieces of other forms lie about, on a canvas.
        piece: pixels along each side of such a piece.
        colored: in two colours, or else in white before black.
    """

    name: str
    forms: Mapping[str, tuple[Outline, ...]]
    size: int
    sizes: tuple[float, float]
    turns: tuple[float, float] = (0.0, 2 * np.pi)
    canvas: int = 0
    clutter: int = 0
    piece: int = 8
    colored: bool = True


SHAPES = Drawing(
    name="shape",
    forms={name: (outline,) for name, outline in OUTLINES.items()},
    size=32,
    sizes=(0.55, 0.9),
)
CENTRED_DIGITS = Drawing(
    name="digit", forms=DIGITS, size=28, sizes=(0.75, 0.95), turns=(-0.2, 0.2), colored=False
)
CLUTTERED_DIGITS = replace(CENTRED_DIGITS, canvas=60, clutter=4)
"""As large as the pictures of Mnih et al. 2014 that have a digit anywhere among four pieces."""


def shape_rows(
    split: str, count: int, seed: int, drawing: Drawing = SHAPES
) -> Iterator[tuple[PictureCell, str]]:
    """`count` square pictures of a split, a form in each, and its name; the same for each seed.

    Raises `ValueError` for an unknown split, `ImportError` without the extra `image`.

    >>> picture, label = next(shape_rows("train", 1, seed=3))
    >>> picture.name, label
    ('shape-00000.png', 'crescent')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng, names = np.random.default_rng([seed, SPLITS.index(split), 1]), list(drawing.forms)
    for number in range(count):
        name = names[int(rng.integers(len(names)))]
        behind, ink = two_colors(rng) if drawing.colored else (np.zeros(3), np.ones(3))
        share = drawn_form(drawing, name, rng)
        if drawing.canvas:
            share = on_canvas(drawing, share, rng)
        picture = np.broadcast_to(behind, (*share.shape, 3))
        picture = picture + share[:, :, None] * (ink - behind)
        yield png(noisy(picture, rng), f"{drawing.name}-{number:05}.png"), name


def drawn_form(
    drawing: Drawing, name: str, rng: np.random.Generator
) -> Float[np.ndarray, "size size"]:
    """The share of each pixel that lies within a form, as large and as turned as chance has it."""
    parts = drawing.forms[name]
    lines = iter(placed(sum(parts, ()), rng, drawing.sizes, drawing.turns))
    outlines = (tuple(next(lines) for _ in part) for part in parts)
    return np.max([covered(outline, drawing.size) for outline in outlines], axis=0)


def on_canvas(
    drawing: Drawing, form: Float[np.ndarray, "size size"], rng: np.random.Generator
) -> Float[np.ndarray, "canvas canvas"]:
    """A form somewhere, and pieces of others anywhere, also before it."""
    found, names = np.zeros((drawing.canvas,) * 2), list(drawing.forms)
    _put(found, form, rng)
    for _ in range(drawing.clutter):
        other = drawn_form(drawing, names[int(rng.integers(len(names)))], rng)
        top, left = rng.integers(0, drawing.size - drawing.piece + 1, 2)
        _put(found, other[top : top + drawing.piece, left : left + drawing.piece], rng)
    return found


def _put(onto: np.ndarray, form: np.ndarray, rng: np.random.Generator) -> None:
    """Lay a form anywhere on a larger picture, of which no pixel loses ink."""
    top, left = rng.integers(0, len(onto) - len(form) + 1, 2)
    here = onto[top : top + len(form), left : left + len(form)]
    np.maximum(here, form, out=here)


def placed(
    outline: Outline,
    rng: np.random.Generator,
    sizes: tuple[float, float],
    turns: tuple[float, float] = (0.0, 2 * np.pi),
) -> Outline:
    """An outline turned, resized and moved, so that all of it is in the picture."""
    size, turn = rng.uniform(*sizes), rng.uniform(*turns)
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
