"""Line charts as SVG, for who has no page to draw: every curve has its own dashes and a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log10

from regard.view.curves import Curve, Points, thinned
from regard.view.page import text
from regard.view.ticks import log_ticks, names_of_ticks, percent, short, ticks

__all__ = ["HEIGHT", "WIDTH", "Curve", "chart"]

WIDTH, HEIGHT = 460.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 14.0, 10.0, 34.0
CONSTANT = 1e-6
"""Values that differ by a smaller part of themselves are drawn as one."""


def chart(
    title: str,
    curves: Sequence[Curve],
    log: bool = False,
    across: str = "step",
    shares: bool = False,
) -> str:
    """A figure with the curves, their axes and a legend with each curve's last value.

    Args:
        log: make the vertical axis logarithmic, if all values are positive and span a factor of 8.
        across: what the horizontal axis counts.
        shares: values are shares of all, which are written as percentages.
    """
    drawn = [curve for curve in curves if any(y is not None for _, y in curve.points)]
    if not drawn:
        return ""
    frame = _Frame.around(drawn, log, shares)
    shapes = "".join(_draw(curve, frame) for curve in drawn)
    note = ' <span class="note">log scale</span>' if frame.log else ""
    ends = [f"{curve.name} {frame.said(_last(curve.points))}" for curve in drawn]
    said = text(f"{title} over {across}; last values: {', '.join(ends)}")
    return (
        f'<figure class="chart"><figcaption>{text(title)}{note}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{said}">'
        f"<style>{_style()}</style>{_axes(frame, across)}{shapes}</svg>"
        f"{_legend(drawn, frame)}</figure>"
    )


@dataclass(frozen=True)
class _Frame:
    """The numbers at the edges of a chart, and how a point falls between them."""

    left: float
    right: float
    low: float
    high: float
    log: bool
    shares: bool = False

    @classmethod
    def around(cls, curves: Sequence[Curve], log: bool, shares: bool = False) -> "_Frame":
        xs = [x for curve in curves for x, _ in curve.points]
        ys = [y for curve in curves for _, y in curve.points if y is not None]
        low, high = min(ys), max(ys)
        log = log and low > 0 and high / low >= 8
        shares = shares and low >= 0 and high <= 1
        single = len({x for curve in curves for x, y in curve.points if y is not None}) == 1
        if log:
            low, high = low / 1.1, high * 1.1
        elif shares and (single or high == low):
            low, high = 0.0, 1.0
        elif high - low > CONSTANT * max(abs(low), abs(high)):
            low, high = _padded(low, high)
            high = min(high, 1.0) if shares else high
        else:
            margin = abs(low) / 10
            low, high = (low - margin, high + margin) if margin else (0.0, 1.0)
        left, right = min(xs), max(xs)
        if left == right:
            # One step stands in the middle.
            beside = max(0.5, abs(left) * CONSTANT)
            left, right = left - beside, right + beside
        return cls(left, right, low, high, log, shares)

    def said(self, value: float) -> str:
        """A value as the legend has it."""
        return percent(value) if self.shares else short(value)

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        if self.log:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


@cache
def _style() -> str:
    return files("regard.view").joinpath("chart.css").read_text("utf-8")


def _padded(low: float, high: float) -> tuple[float, float]:
    """The range with a little air, but not across zero, and from zero where it is near."""
    air = (high - low) * 0.05
    bottom = 0.0 if 0 <= low < (high - low) * 0.5 else low - air
    return bottom, high + air


def _axes(frame: _Frame, across: str) -> str:
    parts = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = (log_ticks if frame.log else ticks)(frame.low, frame.high)
    for value, name in zip(marks, names_of_ticks(marks, frame.shares), strict=True):
        y = frame.y(value)
        parts.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{right:g}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 8:g}" y="{y + 4:.1f}">{name}</text>')
    marks = ticks(frame.left, frame.right, 4, whole=True)
    for value, name in zip(marks, names_of_ticks(marks), strict=True):
        x = frame.x(value)
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom:g}v4"/>')
        parts.append(f'<text class="tick middle" x="{x:.1f}" y="{bottom + 17:g}">{name}</text>')
    parts.append(f'<path class="axis" d="M{LEFT:g} {bottom:g}H{right:g}"/>')
    parts.append(f'<text class="tick end" x="{right:g}" y="{HEIGHT - 3:g}">{text(across)}</text>')
    return "".join(parts)


def _draw(curve: Curve, frame: _Frame) -> str:
    path, pen = [], "M"
    spots, alone = [], []
    points = thinned(curve.points)
    for number, (x, y) in enumerate(points):
        if y is None:
            pen = "M"
            continue
        at = f"{frame.x(x):.1f} {frame.y(y):.1f}"
        path.append(f"{pen}{at}")
        spots.append((at.split(), x, y))
        if pen == "M" and (number + 1 == len(points) or points[number + 1][1] is None):
            alone.append(spots[-1])  # No line leads to it or from it.
        pen = "L"
    fine = " fine" if len(spots) > 150 else ""
    line = f'<path class="line s{curve.style % 8}{fine}" d="{"".join(path)}"/>'
    dots = (
        f'<circle class="dot s{curve.style % 8}" cx="{cx}" cy="{cy}" r="3">'
        f"<title>{text(curve.name)}, {short(x)}: {frame.said(y)}</title></circle>"
        for (cx, cy), x, y in (spots if curve.marked and len(spots) <= 60 else alone)
    )
    return line + "".join(dots)


def _legend(curves: Sequence[Curve], frame: _Frame) -> str:
    entries = (
        f'<li><svg class="key" viewBox="0 0 28 10" aria-hidden="true">'
        f'<path class="line s{curve.style % 8}" d="M1 5H27"/></svg>'
        f"<bdi>{text(curve.name)}</bdi> <b>{frame.said(_last(curve.points))}</b></li>"
        for curve in curves
    )
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _last(points: Points) -> float:
    return next(y for _, y in reversed(points) if y is not None)
