"""Line charts as inline SVG, readable without color: every curve has its own dashes and a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from regard.view.page import text
from regard.view.ticks import log_ticks, short, ticks

MOST_POINTS = 500
WIDTH, HEIGHT = 460.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 14.0, 10.0, 34.0

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


def chart(title: str, curves: Sequence[Curve], log: bool = False, across: str = "step") -> str:
    """A figure with the curves, their axes and a legend with each curve's last value.

    With `log` the vertical axis is logarithmic, if all values are positive and span a factor of 8.
    """
    drawn = [curve for curve in curves if any(y is not None for _, y in curve.points)]
    if not drawn:
        return ""
    frame = _Frame.around(drawn, log)
    shapes = "".join(_draw(curve, frame) for curve in drawn)
    note = ' <span class="note">log scale</span>' if frame.log else ""
    ends = [f"{curve.name} {short(_last(curve.points))}" for curve in drawn]
    said = text(f"{title} over {across}; last values: {', '.join(ends)}")
    return (
        f'<figure class="chart"><figcaption>{text(title)}{note}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{said}">'
        f"{_axes(frame, across)}{shapes}</svg>{_legend(drawn)}</figure>"
    )


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


@dataclass(frozen=True)
class _Frame:
    """The numbers at the edges of a chart, and how a point falls between them."""

    left: float
    right: float
    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, curves: Sequence[Curve], log: bool) -> "_Frame":
        xs = [x for curve in curves for x, _ in curve.points]
        ys = [y for curve in curves for _, y in curve.points if y is not None]
        low, high = min(ys), max(ys)
        log = log and low > 0 and high / low >= 8
        if log:
            low, high = low / 1.1, high * 1.1
        elif high > low:
            low, high = _padded(low, high)
        else:
            margin = abs(low) / 10 or 1.0
            low, high = low - margin, high + margin
        left, right = min(xs), max(xs)
        return cls(left, right if right > left else left + 1.0, low, high, log)

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        if self.log:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _padded(low: float, high: float) -> tuple[float, float]:
    """The range with a little air, but not across zero, and from zero where it is near."""
    air = (high - low) * 0.05
    bottom = 0.0 if 0 <= low < (high - low) * 0.5 else low - air
    return bottom, high + air


def _axes(frame: _Frame, across: str) -> str:
    parts = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in (log_ticks if frame.log else ticks)(frame.low, frame.high):
        y = frame.y(value)
        parts.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{right:g}"/>')
        parts.append(
            f'<text class="tick end" x="{LEFT - 8:g}" y="{y + 4:.1f}">{short(value)}</text>'
        )
    for value in ticks(frame.left, frame.right, 4):
        x = frame.x(value)
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom:g}v4"/>')
        parts.append(
            f'<text class="tick middle" x="{x:.1f}" y="{bottom + 17:g}">{short(value)}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT:g} {bottom:g}H{right:g}"/>')
    parts.append(f'<text class="tick end" x="{right:g}" y="{HEIGHT - 3:g}">{text(across)}</text>')
    return "".join(parts)


def _draw(curve: Curve, frame: _Frame) -> str:
    path, pen = [], "M"
    spots = []
    for x, y in thinned(curve.points):
        if y is None:
            pen = "M"
            continue
        at = f"{frame.x(x):.1f} {frame.y(y):.1f}"
        path.append(f"{pen}{at}")
        pen = "L"
        spots.append((at.split(), x, y))
    fine = " fine" if len(spots) > 150 else ""
    line = f'<path class="line s{curve.style % 8}{fine}" d="{"".join(path)}"/>'
    if len(spots) > 1 and not (curve.marked and len(spots) <= 60):
        return line
    dots = (
        f'<circle class="dot s{curve.style % 8}" cx="{cx}" cy="{cy}" r="3">'
        f"<title>{text(curve.name)}, {short(x)}: {short(y)}</title></circle>"
        for (cx, cy), x, y in spots
    )
    return line + "".join(dots)


def _legend(curves: Sequence[Curve]) -> str:
    entries = (
        f'<li><svg class="key" viewBox="0 0 28 10" aria-hidden="true">'
        f'<path class="line s{curve.style % 8}" d="M1 5H27"/></svg>'
        f"<bdi>{text(curve.name)}</bdi> <b>{short(_last(curve.points))}</b></li>"
        for curve in curves
    )
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _last(points: Points) -> float:
    return next(y for _, y in reversed(points) if y is not None)
