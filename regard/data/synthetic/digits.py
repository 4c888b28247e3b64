"""The ten digits as outlines: strokes of a pen of one width."""

import numpy as np
from jaxtyping import Float

from regard.data.synthetic.drawing import Outline

PEN = 0.17
"""Half the width of a stroke, where a picture is from -1 to 1."""

Line = Float[np.ndarray, "_ 2"]


def _arc(x: float, y: float, wide: float, high: float, start: int, end: int) -> Line:
    """A part of an ellipse, in degrees from the right, clockwise; both ends are of it."""
    angles = np.radians(np.linspace(start, end, 14))
    return np.stack([x + wide * np.cos(angles), y + high * np.sin(angles)], axis=1)


def _straight(*points: tuple[float, float]) -> Line:
    return np.array(points, dtype=float)


def _stroke(line: Line) -> Outline:
    """What a pen covers along a line that does not meet itself."""
    ahead = np.gradient(line, axis=0)
    across = PEN * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    across /= np.linalg.norm(ahead, axis=1, keepdims=True)
    return (np.concatenate([line + across, (line - across)[::-1]]),)


def _ring(y: float, wide: float, high: float) -> Outline:
    """What a pen covers along an ellipse."""
    sides = [_arc(0.0, y, wide + by, high + by, 0, 360)[:-1] for by in (PEN, -PEN)]
    return sides[0], sides[1]


def _strokes(*lines: Line) -> tuple[Outline, ...]:
    return tuple(_stroke(line) for line in lines)


DIGITS: dict[str, tuple[Outline, ...]] = {
    "0": (_ring(0.0, 0.42, 0.75),),
    "1": _strokes(_straight((0.05, -0.9), (0.05, 0.9)), _straight((-0.3, -0.55), (0.1, -0.8))),
    "2": _strokes(
        np.concatenate([_arc(0.0, -0.4, 0.42, 0.38, 180, 380), _straight((-0.4, 0.75))]),
        _straight((-0.5, 0.75), (0.5, 0.75)),
    ),
    "3": _strokes(_arc(0.0, -0.4, 0.38, 0.38, 200, 450), _arc(0.0, 0.38, 0.42, 0.4, -90, 160)),
    "4": _strokes(
        _straight((0.15, -0.8), (-0.5, 0.25)),
        _straight((-0.5, 0.25), (0.55, 0.25)),
        _straight((0.2, -0.8), (0.2, 0.85)),
    ),
    "5": _strokes(
        _straight((0.4, -0.75), (-0.4, -0.75)),
        _straight((-0.35, -0.75), (-0.35, -0.05)),
        _arc(-0.05, 0.32, 0.45, 0.42, -130, 140),
    ),
    "6": (_ring(0.35, 0.4, 0.4), *_strokes(_arc(0.25, 0.2, 0.65, 0.95, 180, 270))),
    "7": _strokes(_straight((-0.5, -0.75), (0.5, -0.75)), _straight((0.4, -0.75), (-0.15, 0.85))),
    "8": (_ring(-0.4, 0.35, 0.35), _ring(0.38, 0.42, 0.4)),
    "9": (_ring(-0.35, 0.4, 0.4), *_strokes(_arc(-0.25, -0.2, 0.65, 0.95, 0, 90))),
}
"""Name → the parts of it; what lies in any of them is in the digit."""
