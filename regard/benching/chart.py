"""Time, memory and error over length, both axes logarithmic: one SVG file that needs no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import log

from regard.benching.bench import Bench
from regard.benching.measuring import Row
from regard.benching.table import SIZES, TIMES, with_unit
from regard.view.charts import Curve
from regard.view.page import text
from regard.view.ticks import log_ticks, short

WIDTH, HEIGHT = 460.0, 290.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 18.0, 40.0, 40.0
LINE, MARGIN = 22.0, 16.0

Say = Callable[[float], str]
Pick = Callable[[Row], float | None]


def svg(found: Bench) -> str:
    """A panel for each pass's time, one for memory, one for error; a legend with forward times.

    Raises `ValueError` where nothing was measured.
    """
    rows = [row for row in found.rows if row.seconds is not None]
    if not rows:
        raise ValueError("nothing was measured that could be drawn: see the reasons in its rows")
    names = list(dict.fromkeys(row.mechanism for row in rows))
    drawn = [
        _panel(_Panel.of(title, rows, pick, say, names), number)
        for number, (title, rows, pick, say) in enumerate(_panels(rows))
        if any(pick(row) for row in rows)
    ]
    down = (len(drawn) + 1) // 2 * HEIGHT
    width, height = 2 * WIDTH, down + LINE * ((len(names) + 1) // 2) + 2 * LINE + MARGIN
    said = text("speed, memory and error of " + ", ".join(names))
    style = files("regard.view").joinpath("chart.css").read_text("utf-8")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{said}">'
        f"<style>{style} svg {{ font: 14px system-ui, sans-serif; fill: var(--ink); }}</style>"
        f'<rect width="100%" height="100%" style="fill: var(--paper)"/>{"".join(drawn)}'
        f"{_legend(names, rows, down)}{_machine(found, height - MARGIN)}</svg>\n"
    )


def _panels(rows: Sequence[Row]) -> list[tuple[str, list[Row], Pick, Say]]:
    """What each panel shows: its title, rows, their number, and how it is written."""
    passes = list(dict.fromkeys(row.passed for row in rows))
    of = {name: [row for row in rows if row.passed == name] for name in passes}

    def seconds(value: float) -> str:
        return with_unit(value, TIMES)

    def size(value: float) -> str:
        return with_unit(value, SIZES)

    last = passes[-1]
    return [
        *((f"{name}, time", of[name], lambda row: row.seconds, seconds) for name in passes),
        (f"{last}, peak memory", of[last], lambda row: row.peak_bytes or None, size),
        (f"{last}, error", of[last], lambda row: row.error or None, short),
    ]


@dataclass(frozen=True)
class _Panel:
    """Curves and the numbers at the edges around them."""

    title: str
    curves: list[Curve]
    lengths: list[float]
    low: float
    high: float
    say: Say

    @classmethod
    def of(
        cls, title: str, rows: Sequence[Row], pick: Pick, say: Say,
        names: Sequence[str],
    ) -> "_Panel":  # fmt: skip
        curves = [
            Curve(name, [(row.length, pick(row)) for row in rows if row.mechanism == name], style)
            for style, name in enumerate(names)
        ]
        values = [y for curve in curves for _, y in curve.points if y]
        lengths = sorted({float(row.length) for row in rows})
        return cls(title, curves, lengths, min(values) / 1.25, max(values) * 1.25, say)

    def x(self, length: float) -> float:
        first, last = self.lengths[0], self.lengths[-1]
        share = log(length / first) / log(last / first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = log(value / self.low) / log(self.high / self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _panel(panel: _Panel, number: int) -> str:
    shapes = [f'<text x="{LEFT:g}" y="24" font-weight="560">{text(panel.title)}</text>']
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for mark in log_ticks(panel.low, panel.high):
        y = panel.y(mark)
        shapes.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{right:g}"/>')
        said = panel.say(mark).replace(".00 ", " ").replace(".0 ", " ")
        shapes.append(
            f'<text class="tick end" x="{LEFT - 8:g}" y="{y + 4:.1f}">{text(said)}</text>'
        )
    for length in panel.lengths:
        x = panel.x(length)
        shapes.append(f'<path class="axis" d="M{x:.1f} {bottom:g}v4"/>')
        shapes.append(
            f'<text class="tick middle" x="{x:.1f}" y="{bottom + 18:g}">{length:,.0f}</text>'
        )
    shapes.append(f'<path class="axis" d="M{LEFT:g} {bottom:g}H{right:g}"/>')
    shapes += [_curve(curve, panel) for curve in panel.curves]
    across, down = number % 2 * WIDTH, number // 2 * HEIGHT
    return f'<g transform="translate({across:g} {down:g})">{"".join(shapes)}</g>'


def _curve(curve: Curve, panel: _Panel) -> str:
    spots = [(panel.x(x), panel.y(y), x, y) for x, y in curve.points if y]
    path = "L".join(f"{cx:.1f} {cy:.1f}" for cx, cy, _, _ in spots)
    line = f'<path class="line s{curve.style % 8}" d="M{path}"/>' if len(spots) > 1 else ""
    return line + "".join(
        f'<circle class="dot s{curve.style % 8}" cx="{cx:.1f}" cy="{cy:.1f}" r="3.5">'
        f"<title>{text(f'{curve.name}, {x:,.0f}: {panel.say(y)}')}</title></circle>"
        for cx, cy, x, y in spots
    )


def _legend(names: Sequence[str], rows: Sequence[Row], top: float) -> str:
    """Each mechanism's line, and its last time."""
    entries = []
    for number, name in enumerate(names):
        x, y = LEFT + number % 2 * WIDTH, top + LINE * (number // 2 + 0.5)
        last = [row for row in rows if row.mechanism == name and row.passed == "forward"][-1:]
        said = name + "".join(f": {with_unit(r.seconds, TIMES)} at {r.length:,}" for r in last)
        entries.append(
            f'<path class="line s{number % 8}" d="M{x:g} {y:g}h28"/>'
            f'<circle class="dot s{number % 8}" cx="{x + 14:g}" cy="{y:g}" r="3.5"/>'
            f'<text x="{x + 36:g}" y="{y + 5:g}">{text(said)}</text>'
        )
    return "".join(entries)


def _machine(found: Bench, y: float) -> str:
    sizes, machine = found.sizes, found.machine
    said = (
        f"keys across; {sizes['dtype']} on {sizes['device']}, batch {sizes['batch']}, "
        f"{sizes['heads']} heads of width {sizes['width']}; {machine['processor']}, "
        f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}, {machine['date']}"
    )
    return f'<text class="tick" x="{LEFT:g}" y="{y:g}">{text(said)}</text>'
