"""`regard compare`: what runs reached and where they differ, in the terminal and on one page."""

from collections.abc import Sequence
from dataclasses import replace
from json import dumps
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from regard._io.files import write_whole
from regard._printable import printable
from regard.errors import UsageError
from regard.view.comparison import (
    comparison,
    differing_settings,
    fact_label,
    fact_text,
    summaries,
    winners,
)
from regard.view.run_log import RunLog, read_run


def run(runs: Sequence[Path], out: Path, json: bool) -> int:
    """Print a table of the runs, or one JSON object, and write the page `out`.

    Raises `UsageError` for a folder that is no run, and for runs of different tasks.
    """
    found = _read(runs)
    _check_tasks(found)
    if not out.resolve().parent.is_dir():
        raise UsageError(f"--out {out} cannot be written: there is no folder {out.parent}")
    write_whole(out, comparison(found).encode())
    if json:
        shown = {
            "runs": summaries(found),
            "differences": differing_settings(found),
            "page": str(out),
        }
        print(dumps(shown, default=str))
        return 0
    # A pipe has no width: nothing is wrapped there.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    console.print(_results(found))
    if differing := differing_settings(found):
        console.print("\nwhere their configurations differ")
        console.print(_table("key", found, [[key, *v] for key, v in differing.items()]))
    console.print()
    console.print(Text(printable(f"page: {out}")), soft_wrap=True)
    return 0


def _read(folders: Sequence[Path]) -> list[RunLog]:
    try:
        found = [read_run(folder) for folder in folders]
    except FileNotFoundError as error:
        raise UsageError(f"{error}; give folders that regard train made") from None
    titles = [one.title for one in found]
    if len(set(titles)) == len(titles):
        return found
    return [replace(one, title=str(path)) for one, path in zip(found, folders, strict=True)]


def _check_tasks(runs: Sequence[RunLog]) -> None:
    tasks = {str(one.fact("task")): one.title for one in runs if one.fact("task") is not None}
    if len(tasks) > 1:
        (first, its), (second, other) = list(tasks.items())[:2]
        raise UsageError(
            f"{its} is a run of {first} and {other} one of {second}; compare runs of the same task"
        )


def _results(runs: Sequence[RunLog]) -> Table:
    shown = summaries(runs)
    rows: list[list[object]] = []
    for name in list(shown[0])[1:]:
        values = [summary[name] for summary in shown]
        best = winners(name, values)
        cells = [
            f"{'★ ' if number in best else ''}{fact_text(name, value)}"
            for number, value in enumerate(values)
        ]
        rows.append([fact_label(name), *cells])
    return _table("", runs, rows)


def _table(corner: str, runs: Sequence[RunLog], rows: Sequence[Sequence[object]]) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    drawn.add_column(corner, style="dim", overflow="fold")
    for one in runs:
        drawn.add_column(Text(printable(one.title)), justify="right", overflow="fold")
    for row in rows:
        shown = ("–" if cell is None else printable(str(cell)) for cell in row)
        drawn.add_row(*(Text(cell) for cell in shown))
    return drawn
