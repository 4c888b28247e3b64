"""An evaluation on the terminal: metrics, tables with straight columns, and the worst examples."""

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size

from regard._printable import printable
from regard.run.display import metrics_line
from regard.run.evaluating import Examination
from regard.tasks.details import DetailTable, JudgedExample

WIDEST = 200
"""Cells of a text that are shown."""
NAME = 20
"""Cells of the name of a row or a column that are shown."""


def evaluation_lines(found: Examination, shown: dict[str, float]) -> Iterator[str]:
    """What `regard eval` prints, with these of the metrics."""
    metrics = ", ".join(
        metrics_line({name: value})
        + (f" ({found.details.measured[name]})" if name in found.details.measured else "")
        for name, value in shown.items()
    )
    yield f"{found.split} data, {found.examples:,} examples: {metrics}"
    for note in (*found.notes, *found.details.notes, *found.remarks):
        yield printable(note)
    for table in found.details.tables:
        yield from ("", table.title, *table_lines(table))
    if found.details.worst:
        yield from ("", "worst examples")
    for number, example in enumerate(found.details.worst, 1):
        yield from _example_lines(number, example)


def table_lines(table: DetailTable) -> Iterator[str]:
    """A table whose first column is to the left and whose numbers are to the right.

    >>> rows = (("好", 0.5, 12), ("bad", 1.0, 3))
    >>> list(table_lines(DetailTable("t", "", ("label", "recall", "support"), rows)))
    ['  label  recall  support', '  好        0.5       12', '  bad         1        3']
    """
    if not table.rows:
        yield from ([f"  {table.note}"] if table.note else [])
        return
    rows = [[_cell(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        padded = [" " * (w - cell_len(c)) + c for c, w in zip(cells, widths[1:], strict=True)]
        yield "  " + "  ".join([set_cell_size(name, widths[0]), *padded]).rstrip()
    if table.note:
        yield f"  ({table.note})"


def _cell(cell: str | float) -> str:
    if isinstance(cell, str):
        return _short(cell, NAME)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}"


def _example_lines(number: int, example: JudgedExample) -> Iterator[str]:
    sure = "" if example.probability is None else f" with probability {example.probability:.3g}"
    yield f"  {number}. loss {example.loss:.4g}: {_short(example.input, WIDEST)}"
    yield f"     wanted    {_short(example.wanted, WIDEST)}"
    yield f"     answered  {_short(example.answered, WIDEST)}{sure}"


def _short(text: str, width: int) -> str:
    """A text on one line and no wider than this."""
    plain = printable(" ".join(text.replace("\t", " | ").split()))
    return plain if cell_len(plain) <= width else set_cell_size(plain, width - 1).rstrip() + "…"
