"""Runs side by side: what they reached, what they cost, and where their configurations differ."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from regard._metrics import LOWER_IS_BETTER
from regard.view.attention_page import built, is_drawn, mounted
from regard.view.curves import Curve
from regard.view.film import films
from regard.view.looks import side_by_side
from regard.view.measures import arrow, metric_label, metric_value
from regard.view.page import page, section, table, text
from regard.view.plots import chart_of, charts
from regard.view.run_log import RunLog
from regard.view.ticks import clock, short


def comparison(runs: Sequence[RunLog]) -> str:
    """One HTML page: a table of the runs, an example they share, and curves over each other.

    >>> "<td>b</td>" in comparison([RunLog("a"), RunLog("b")])
    False
    """
    title = "Comparison of " + ", ".join(run.title for run in runs)
    shown = summaries(runs)
    looks = side_by_side([(run.title, films(run.samples)) for run in runs])
    parts = [
        f'<header><h1>Comparison</h1><p class="under">{text(_tasks(runs))}</p></header>',
        section("Results", _facts(runs, shown)),
        section("Where they differ", _differing(runs)),
        section("Attention", mounted(looks, kind="compare", inset=True) if looks else ""),
        section("Curves", _curves(runs)),
        "<footer>self-contained: nothing was loaded from a network to show it</footer>",
    ]
    body = "\n".join(parts)
    return page(title, body, built("attention.js") if is_drawn(body) else "")


def summaries(runs: Sequence[RunLog]) -> list[dict[str, Any]]:
    """What is known of each run, under the same names for all; None where a run does not say."""
    valid = _union(run.metrics("valid") for run in runs)
    tested = _union(run.metrics("test") for run in runs)
    return [
        {
            "run": run.title,
            "task": run.fact("task"),
            "model": run.fact("model"),
            "attention": run.fact("attention"),
            "parameters": run.fact("parameters"),
            "status": run.status(),
            "steps": run.steps,
            "seconds": run.seconds,
            "tokens_per_second": _middle(run, "tokens_per_second"),
            **{f"best valid {name}": _value(run.best("valid", name)) for name in valid},
            **{f"test {name}": _value(_end(run, name)) for name in tested},
        }
        for run in runs
    ]


def differing_settings(runs: Sequence[RunLog]) -> dict[str, list[Any]]:
    """The keys of the configuration in which the runs differ, with each run's value or None.

    >>> differing_settings([RunLog("a", config="seed = 1"), RunLog("b", config="seed = 3")])
    {'seed': [1, 3]}
    """
    settings = [run.settings() for run in runs]
    keys = _union(settings)
    values = {key: [setting.get(key) for setting in settings] for key in keys}
    return {key: found for key, found in values.items() if any(v != found[0] for v in found)}


def fact_text(name: str, value: Any) -> str:
    """A fact about a run as a reader wants it.

    >>> fact_text("seconds", 95.0), fact_text("steps", 12000), fact_text("test accuracy", 0.75)
    ('1 min 35 s', '12,000', '75.0 %')
    """
    if value is None:
        return "–"
    if name == "seconds":
        return clock(float(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if (metric := _metric_of(name)) is not None:
        return metric_value(metric, value)
    return f"{value:,}" if isinstance(value, int) else short(value)


def fact_label(name: str) -> str:
    """What a fact is called before a reader.

    >>> fact_label("best valid bleu"), fact_label("seconds"), fact_label("status")
    ('best valid BLEU ↑', 'wall time', 'status')
    """
    if (metric := _metric_of(name)) is not None:
        start = name.removesuffix(metric)
        shown = metric_label(metric) if metric in ("bleu", "chrf", "f1") else metric
        return f"{start}{shown} {arrow(metric)}"
    return {"seconds": "wall time", "tokens_per_second": "tokens per second"}.get(name, name)


def _metric_of(name: str) -> str | None:
    """The metric that a fact is a value of, None where it is none."""
    starts = (start for start in ("best valid ", "test ") if name.startswith(start))
    return next((name.removeprefix(start) for start in starts), None)


def winners(name: str, values: Sequence[Any]) -> set[int]:
    """Which runs have the best value of a metric; none where there is nothing to win."""
    known = [value for value in values if isinstance(value, int | float)]
    if not name.startswith(("best valid ", "test ")) or len(set(known)) < 2:
        return set()
    choose: Callable[..., Any] = min if name.split()[-1] in LOWER_IS_BETTER else max
    best = choose(known)
    return {number for number, value in enumerate(values) if value == best}


def _facts(runs: Sequence[RunLog], shown: Sequence[dict[str, Any]]) -> str:
    rows = []
    for name in list(shown[0])[1:] if shown else []:
        values = [summary[name] for summary in shown]
        best = winners(name, values)
        cells = [text(fact_text(name, value)) for value in values]
        marked = [
            f'<strong class="best">★ {cell}</strong>' if number in best else cell
            for number, cell in enumerate(cells)
        ]
        rows.append([text(fact_label(name)), *marked])
    return table(["", *(text(run.title) for run in runs)], rows, caption="★ best of these runs")


def _differing(runs: Sequence[RunLog]) -> str:
    rows = [
        [f"<code>{text(key)}</code>", *(text("–" if v is None else v) for v in values)]
        for key, values in differing_settings(runs).items()
    ]
    if not rows:
        return "<p>Their configurations are the same.</p>"
    return table(["key", *(text(run.title) for run in runs)], rows)


def _curves(runs: Sequence[RunLog]) -> str:
    found = [_overlaid(runs, "train", "loss")]
    found += [_overlaid(runs, "valid", m) for m in _union(run.metrics("valid") for run in runs)]
    found.append(_overlaid(runs, "train", "tokens_per_second"))
    return charts(found) or "<p>No step was logged.</p>"


def _overlaid(runs: Sequence[RunLog], split: str, metric: str) -> dict[str, Any] | None:
    curves = [
        Curve(run.title, run.points(split, metric), style, split == "valid")
        for style, run in enumerate(runs)
    ]
    return chart_of(metric, curves, split=split)


def _tasks(runs: Sequence[RunLog]) -> str:
    tasks = _union([str(run.fact("task"))] for run in runs if run.fact("task") is not None)
    return " · ".join([f"{len(runs)} runs", *tasks])


def _union(lists: Any) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def _value(found: tuple[float, float] | None) -> float | None:
    return None if found is None else found[1]


def _end(run: RunLog, metric: str) -> tuple[float, float] | None:
    known = [(step, value) for step, value in run.points("test", metric) if value is not None]
    return known[-1] if known else None


def _middle(run: RunLog, metric: str) -> float | None:
    known = [value for _, value in run.points("train", metric) if value is not None]
    return median(known) if known else None
