"""Curves as numbers: what a chart is drawn from, thinned to what can be seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_POINTS = 500

Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Curve:
    """A named curve; a value of None leaves a gap.

    Args:
        style: which of the eight line styles to draw it in.
        marked: draw every point as a dot too, where they are few.
    """

    name: str
    points: Points
    style: int = 0
    marked: bool = False


def thinned(points: Points, most: int = MOST_POINTS) -> list[tuple[float, float | None]]:
    """At most `most` points: the lowest and the highest of each bin, so that no peak is lost.

    >>> thinned([(float(x), float(x == 500)) for x in range(1000)], most=4)
    [(0.0, 0.0), (499.0, 0.0), (500.0, 1.0), (501.0, 0.0)]
    """
    if len(points) <= most:
        return list(points)
    bins = most // 2
    kept = []
    for number in range(bins):
        part = points[number * len(points) // bins : (number + 1) * len(points) // bins]
        known = [(y, i) for i, (_, y) in enumerate(part) if y is not None]
        if known:
            low, high = min(known)[1], max(known)[1]
            kept += [part[i] for i in sorted({low, high})]
        else:
            kept.append(part[0])
    return kept
