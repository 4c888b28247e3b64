"""The page of a run: its curves, what it answers, and how its attention came to be."""

from collections.abc import Sequence
from typing import Any

from regard._metrics import LOWER_IS_BETTER, SPELLED
from regard.view import film
from regard.view.charts import Curve, chart
from regard.view.page import facts, page, section, table, text
from regard.view.run_log import EVALUATIONS, RunLog, as_number, read_run
from regard.view.ticks import clock, decimals, short

__all__ = ["RunLog", "read_run", "report"]

OF_TRAINING = {
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm",
    "tokens_per_second": "Tokens per second",
    "padding": "Share of padding",
}
UNITS = {
    **dict.fromkeys(("classify", "match", "answer", "recommend"), ", nats per label"),
    **dict.fromkeys(("translate", "language_model", "dates"), ", nats per token"),
}
"""What the loss of a task is measured in."""
"""Tasks whose loss is a mean over labels, not over tokens."""
LOGARITHMIC = frozenset({"loss", "perplexity", "gradient_norm"})
MOST_EVENTS = 200


def report(run: RunLog, lang: str = "en") -> str:
    """One HTML file that shows a run: it needs no network and nothing beside it.

    Args:
        run: as `read_run` gives it.
        lang: the language of the page's own words; there is `en` so far.

    Raises `ValueError` for a language that there is not.

    >>> "<title>dates</title>" in report(RunLog("dates"))
    True
    """
    if lang != "en":
        raise ValueError(f"the page has no words in {lang!r}: choose 'en'")
    shown = film.films(run.samples)
    body = [
        _head(run),
        section("Curves", _curves(run)),
        section("Evaluations", _evaluations(run)),
        section("Answers", _answers(run)),
        section("Attention over the run", _films(shown)),
        section("Events", _events(run)),
        section("Configuration", _configuration(run)),
        _foot(run),
    ]
    return page(run.title, "\n".join(body), {"films": [film.data(each) for each in shown]}, lang)


def metric_label(metric: str) -> str:
    """A metric as a reader knows it.

    >>> [metric_label(metric) for metric in ("bleu", "gradient_norm", "ndcg")]
    ['BLEU', 'Gradient norm', 'NDCG']
    """
    known = SPELLED | OF_TRAINING
    return known.get(metric, metric.replace("_", " ").capitalize())


def _head(run: RunLog) -> str:
    task = run.fact("task")
    under = " · ".join(text(x) for x in (task, run.fact("model"), run.status()) if x is not None)
    shown: list[tuple[str, Any]] = []
    for kind in EVALUATIONS:
        metric = run.main_metric()
        best = run.best(kind, metric)
        if best is not None:
            what = (
                f"best {kind} {metric_label(metric)}"
                if kind == "valid"
                else f"{kind} {metric_label(metric)}"
            )
            shown.append((what, f"{short(best[1])}"))
    shown += [("steps", f"{run.steps:,}"), ("wall time", clock(run.seconds))]
    if isinstance(parameters := run.fact("parameters"), int):
        shown.append(("parameters", f"{parameters:,}"))
    warn = ""
    if run.damaged:
        lines = "line of the log" if run.damaged == 1 else "lines of the log"
        warn = f'<p class="note">Left out: {run.damaged} {lines} that could not be read.</p>'
    title = f'<h1 dir="auto">{text(run.title)}</h1><p class="under">{under}</p>'
    return f"<header>{title}{facts(shown)}{warn}</header>"


def _curves(run: RunLog) -> str:
    unit = UNITS.get(str(run.fact("task")), "")
    charts = [chart(f"Loss{unit}", _by_kind(run, "loss"), log=True)]
    for metric in run.metrics(*EVALUATIONS):
        if metric not in {"loss", *OF_TRAINING}:
            charts.append(chart(metric_label(metric), _by_kind(run, metric), metric in LOGARITHMIC))
    for metric in run.metrics("train"):
        if metric in OF_TRAINING:
            curve = Curve("train", run.points("train", metric))
            charts.append(chart(OF_TRAINING[metric], [curve], metric in LOGARITHMIC))
    found = "".join(charts)
    return f'<div class="charts">{found}</div>' if found else "<p>No step was logged.</p>"


def _by_kind(run: RunLog, metric: str) -> list[Curve]:
    kinds = (("train", 0), ("valid", 1), ("test", 2))
    return [Curve(k, run.points(k, metric), style, k != "train") for k, style in kinds]


def _evaluations(run: RunLog) -> str:
    metrics = run.metrics(*EVALUATIONS)
    best = {(k, m): run.best(k, m) for k in EVALUATIONS for m in metrics}
    digits = {m: _places(run, m) for m in metrics}
    rows = []
    for record in run.records:
        kind, step = record["kind"], record["step"]
        if kind not in EVALUATIONS:
            continue
        cells = [text(f"{int(step):,}"), text(kind), _decimal(record.get("epoch"), 2)]
        for metric in metrics:
            top = best[kind, metric]
            cell = _decimal(record.get(metric), digits[metric])
            if kind == "valid" and top is not None and top[0] == step:
                cell = f'<strong class="best">★ {cell}</strong>'
            cells.append(cell)
        rows.append(cells)
    if not rows:
        return ""
    arrows = [f"{text(metric_label(m))} {'↓' if m in LOWER_IS_BETTER else '↑'}" for m in metrics]
    seen = _many(rows)
    return table(
        ["step", "on", "epoch", *arrows], seen, caption="★ best; ↓ lower is better, ↑ higher"
    )


def _many(rows: list[list[str]]) -> list[list[str]]:
    """The first rows, the best and the last, if there are very many."""
    if len(rows) <= MOST_EVENTS:
        return rows
    half = MOST_EVENTS // 2
    middle = [row for row in rows[half:-half] if any("★" in cell for cell in row)]
    return rows[:half] + middle + rows[-half:]


def _places(run: RunLog, metric: str) -> int:
    return decimals(y for kind in EVALUATIONS for _, y in run.points(kind, metric) if y is not None)


def _decimal(value: object, digits: int) -> str:
    known = as_number(value)
    return "–" if known is None else f"{known:,.{digits}f}" if abs(known) < 1e12 else short(known)


def _answers(run: RunLog) -> str:
    if not run.samples:
        return ""
    last = run.samples[-1]
    rows = [
        [_words(sample.get(name)) for name in ("input", "answer", "wanted")]
        for sample in last["samples"][:50]
        if isinstance(sample, dict)
    ]
    shown = table(["input", "answer", "wanted"], rows, numbers=False)
    return f'<p class="note">At step {int(last["step"]):,}.</p><div class="words">{shown}</div>'


def _words(value: object) -> str:
    if value is None:
        return "–"
    whole = str(value)
    cut = (whole if len(whole) <= 2000 else whole[:2000] + " …").replace("\t", "\n")
    return f'<span dir="auto">{text(cut)}</span>'


def _films(shown: Sequence[Sequence[film.Frame]]) -> str:
    if not shown:
        return ""
    note = (
        '<p class="note">Rows are outputs, columns inputs; sentences that are inputs are rows. '
        "The stronger the shade, the larger the weight. Weights are exact to 0.004.</p>"
    )
    drawn = "\n".join(film.figure(number, frames) for number, frames in enumerate(shown))
    return f'{note}<div class="films">{drawn}</div>'


def _events(run: RunLog) -> str:
    rows = [
        [f"{int(r['step']):,}", text(r.get("event", "")), text(r.get("text", ""))]
        for r in run.records
        if r["kind"] == "event"
    ]
    if not rows:
        return ""
    shown = table(["step", "event", ""], _many(rows), numbers=False)
    if len(rows) <= 12:
        return shown
    return f"<details><summary>{len(rows)} events</summary>{shown}</details>"


def _configuration(run: RunLog) -> str:
    known = [(k, v) for k, v in run.environment.items() if isinstance(v, str | int | float)]
    parts = []
    if known:
        parts.append(f'<div class="small">{facts(known)}</div>')
    if run.config.strip():
        parts.append(
            f"<details><summary>config.toml</summary><pre>{text(run.config)}</pre></details>"
        )
    return "".join(parts)


def _foot(run: RunLog) -> str:
    parts = [f"regard {text(run.environment.get('regard', '(version not recorded)'))}"]
    if run.digest:
        parts.append(f"weights sha256 {text(run.digest)}")
    parts.append("self-contained: nothing was loaded from a network to show it")
    return f"<footer>{' · '.join(parts)}</footer>"
