"""The page of a run: what it answers and attends to, how good it is, and how it came to be."""

from collections.abc import Sequence
from typing import Any

from regard.view import film
from regard.view.answers import answers
from regard.view.attention_page import built, is_drawn, mounted
from regard.view.curves import Curve
from regard.view.evaluations import evaluations
from regard.view.looks import documents
from regard.view.measures import OF_TRAINING, metric_label, metric_value
from regard.view.page import facts, page, section, table, text
from regard.view.plots import chart_of, charts, confusion
from regard.view.run_log import EVALUATIONS, RunLog, read_run
from regard.view.ticks import clock

__all__ = ["RunLog", "read_run", "report"]

ROWS = {
    "match": "the second text",
    "language_model": "what read it",
    "image_classify": "where its answer looked, or the network's gates",
    "segment": "the network's gates, if it has any, and which part of a patch is of each class",
}
"""Tasks in which not the answer attends but something else."""
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
    left = film.with_weights(run.samples) - len(shown)
    parts = [
        _head(run),
        section("Answers", answers(run)),
        section("Attention", _films(run, shown, left)),
        *(
            section(f"Labels and answers, {split} data", _confusion(run, split))
            for split in EVALUATIONS
        ),
        section("Curves", _curves(run)),
        section("Evaluations", evaluations(run)),
        section("Training", _training(run)),
        section("Events", _events(run)),
        section("Configuration", _configuration(run)),
        _foot(run),
    ]
    body = "\n".join(parts)
    return page(run.title, body, built("attention.js") if is_drawn(body) else "", lang)


def _head(run: RunLog) -> str:
    task = run.fact("task")
    under = " · ".join(text(x) for x in (task, run.fact("model"), run.status()) if x is not None)
    shown: list[tuple[str, Any]] = []
    for kind in EVALUATIONS:
        metric = run.main_metric()
        best = run.best(kind, metric)
        if best is not None:
            what = f"best {kind}" if kind == "valid" else kind
            shown.append((f"{what} {metric_label(metric)}", metric_value(metric, best[1])))
    shown += [("steps", f"{run.steps:,}"), ("wall time", clock(run.seconds))]
    if isinstance(parameters := run.fact("parameters"), int):
        shown.append(("parameters", f"{parameters:,}"))
    warn = ""
    if run.damaged:
        lines = "line of the log" if run.damaged == 1 else "lines of the log"
        warn = f'<p class="note">Left out: {run.damaged} {lines} that could not be read.</p>'
    title = f'<h1 dir="auto">{text(run.title)}</h1><p class="under">{under}</p>'
    return f"<header>{title}{facts(shown)}{warn}</header>"


def _films(run: RunLog, shown: Sequence[film.Film], left: int) -> str:
    if not shown:
        return ""
    rows = ROWS.get(str(run.fact("task")), "what was answered")
    read = "what was read"
    if any(each.picture is not None for each in shown):
        read = "the patches of the picture (r2 c1 begins its second row)"
    how = [f"Columns are {read}, rows {rows}."]
    if len(shown) > 1:
        how.append(f"{len(shown):,} examples can be chosen.")
    if left:
        how.append(f"{left:,} more examples are not drawn.")
    how += dict.fromkeys(note for each in shown for note in film.notes(each))
    model = run.fact("model")
    made, firsts = documents(shown, run.title if model is None else f"{run.title} ({model})")
    drawn = mounted(made, kind="film", films=firsts, inset=True)
    return f'<p class="note">{text(" ".join(how))}</p>{drawn}'


def _confusion(run: RunLog, split: str) -> str:
    found = run.confusion.get(split)
    return confusion(found) if found is not None else ""


def _curves(run: RunLog) -> str:
    """The loss and what evaluations measured."""
    named = [m for m in run.metrics(*EVALUATIONS) if m not in {"loss", *OF_TRAINING}]
    task = str(run.fact("task"))
    found = [chart_of(each, _by_kind(run, each), task=task) for each in ("loss", *named)]
    return charts(found) or "<p>No step was logged.</p>"


def _training(run: RunLog) -> str:
    """What training steps measured of themselves."""
    return charts(
        [
            chart_of(each, [Curve("train", run.points("train", each))])
            for each in run.metrics("train")
            if each in OF_TRAINING
        ]
    )


def _by_kind(run: RunLog, metric: str) -> list[Curve]:
    kinds = (("train", 0), ("valid", 1), ("test", 2))
    return [Curve(k, run.points(k, metric), style, k != "train") for k, style in kinds]


def _events(run: RunLog) -> str:
    rows = [
        [f"{int(r['step']):,}", text(r.get("event", "")), text(r.get("text", ""))]
        for r in run.records
        if r["kind"] == "event"
    ]
    if not rows:
        return ""
    half = MOST_EVENTS // 2
    seen = rows if len(rows) <= MOST_EVENTS else rows[:half] + rows[-half:]
    shown = table(["step", "event", ""], seen, numbers=False)
    if len(rows) <= 12:
        return shown
    some = f", {len(rows) - len(seen):,} in the middle left out" if len(seen) < len(rows) else ""
    return f"<details><summary>{len(rows):,} events{some}</summary>{shown}</details>"


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
