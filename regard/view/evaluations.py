"""The table of a run's evaluations: the best and the last at once, all of many on request."""

from collections.abc import Mapping, Sequence

from regard.view.measures import arrow, is_share, metric_label
from regard.view.page import table, text
from regard.view.run_log import EVALUATIONS, RunLog, as_number
from regard.view.ticks import decimals, percent, short

MOST_OPEN = 12
MOST_ROWS = 400

Rows = Sequence[list[str]]


def evaluations(run: RunLog) -> str:
    """A row for each evaluation, the best of each metric marked; nothing where there is none."""
    metrics = run.metrics(*EVALUATIONS)
    best = {metric: run.best("valid", metric) for metric in metrics}
    digits = {metric: _places(run, metric) for metric in metrics}
    rows = [_row(r, best, digits) for r in run.records if r["kind"] in EVALUATIONS]
    if not rows:
        return ""
    head = ["step", "on", "epoch", *(f"{text(metric_label(m))} {arrow(m)}" for m in metrics)]
    caption = "★ best; ↓ lower is better, ↑ higher"
    if len(rows) <= MOST_OPEN:
        return table(head, rows, caption=caption)
    first = [row for row in rows[:-3] if _is_best(row)] + rows[-3:]
    half = MOST_ROWS // 2
    seen = rows
    if len(rows) > MOST_ROWS:
        seen = rows[:half] + [row for row in rows[half:-half] if _is_best(row)] + rows[-half:]
    left = len(rows) - len(seen)
    some = f", {left:,} in the middle left out" if left else ""
    return (
        f"{table(head, first, caption=caption)}<details><summary>show all {len(rows):,} evaluations"
        f"{some}</summary>{table(head, seen)}</details>"
    )


def _row(
    record: Mapping[str, object],
    best: Mapping[str, tuple[float, float] | None],
    digits: Mapping[str, int],
) -> list[str]:
    kind, step = str(record["kind"]), as_number(record["step"]) or 0.0
    cells = [text(f"{int(step):,}"), text(kind), _decimal(record.get("epoch"), 2)]
    for metric, top in best.items():
        cell = _value(record.get(metric), metric, digits[metric])
        if kind == "valid" and top is not None and top[0] == step:
            cell = f'<strong class="best">★ {cell}</strong>'
        cells.append(cell)
    return cells


def _value(value: object, metric: str, digits: int) -> str:
    known = as_number(value)
    if known is not None and is_share(metric) and 0 <= known <= 1:
        return percent(known)
    return _decimal(value, digits)


def _places(run: RunLog, metric: str) -> int:
    return decimals(y for kind in EVALUATIONS for _, y in run.points(kind, metric) if y is not None)


def _decimal(value: object, digits: int) -> str:
    known = as_number(value)
    if known is None:
        return "–"
    fits = known == 0 or 10.0**-digits <= abs(known) < 1e12
    return f"{known:,.{digits}f}" if fits else short(known)


def _is_best(row: Sequence[str]) -> bool:
    return any("★" in cell for cell in row)
