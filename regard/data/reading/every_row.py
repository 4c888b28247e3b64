"""Every row of a table as it is kept, in its place: those that cannot be read with why."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import dropwhile, islice
from typing import Any

from regard.data.reading.json_tables import JSONLines, flattened, read_object, respelled
from regard.data.reading.lines import Line, every_line, open_text
from regard.data.reading.parquet_tables import BATCH, Parquet, named_classes, parquet_file
from regard.data.reading.separated import Separated, cells_of, quoted_rows, says_mark
from regard.data.reading.tables import Opened, Table

Kept = Mapping[str, Any]


@dataclass(frozen=True)
class EveryRow:
    """A row: where it stands, its values as they are kept, and why it cannot be read if it cannot.

    Args:
        kept: by columns of the file, with what is within objects left there.
        values: by columns of the table, with what is within objects under names with a point.
    """

    where: str
    kept: Kept
    values: Kept
    why: str = ""


def every_row(table: Table) -> Iterator[EveryRow]:
    """The rows of a table, one after the other; a blank line is a row without values.

    Raises `ValueError` where the rest of the file cannot be read either.
    """
    if isinstance(table, Separated):
        yield from _of_separated(table)
    elif isinstance(table, JSONLines):
        yield from _of_json_lines(table)
    elif isinstance(table, Parquet):
        yield from _of_parquet(table)
    elif isinstance(table, Opened):
        yield from _of_opened(table)
    else:
        for where, cells in table.rows(table.names):
            values = dict(zip(table.names, cells, strict=True))
            yield EveryRow(where, values, values)


def kept_columns(table: Table) -> tuple[str, ...]:
    """The columns of a table's file; of objects that stand a line each, those of all of them."""
    if isinstance(table, JSONLines):
        return tuple(dict.fromkeys(key for row in _of_json_lines(table) for key in row.kept))
    if isinstance(table, Parquet):
        with parquet_file(table.path) as file:
            return tuple(file.schema_arrow.names)
    return kept_columns(table.table) if isinstance(table, Opened) else table.names


def _of_opened(table: Opened) -> Iterator[EveryRow]:
    for row in every_row(table.table):
        try:
            yield replace(row, values={} if row.why else table.opened(row.values, row.where))
        except ValueError as error:
            yield replace(row, values={}, why=str(error))


def _of_separated(table: Separated) -> Iterator[EveryRow]:
    unread = dict[int, str]()
    with open_text(table.path, table.encoding) as (file, spelled):
        found = _cells(table, every_line(file, str(table.path), spelled), unread)
        for _ in range(table.skipped + int(table.header)):
            found = islice(dropwhile(lambda row: not any(row[1]), found), 1, None)
        for number, cells, why in found:
            where = f"{table.path} line {number}"
            why = why or _taken(unread)
            if not why and any(cells) and len(cells) != table.width:
                try:
                    cells = list(table.filled(where, tuple(cells)))
                except ValueError as error:
                    why = str(error)
            values = dict(zip(table.names, [*cells, *[""] * table.width], strict=False))
            yield EveryRow(where, values, values, why)


def _taken(unread: dict[int, str]) -> str:
    """Why the lines of a row cannot be read, which is then said."""
    why = next(iter(unread.values()), "")
    unread.clear()
    return why


_Cells = Iterator[tuple[int, list[str], str]]


def _cells(table: Separated, found: Iterator[Line], unread: dict[int, str]) -> _Cells:
    """Where each row begins, its cells, and why they cannot be read; a blank line is a row too."""

    def texts() -> Iterator[str]:
        for line in found:
            if line.why:
                unread[line.number] = line.why
            if not says_mark(line.number, line.text):
                yield f"{line.text}\n"

    dialect = table.dialect
    if not dialect.quoted:
        for number, text in enumerate(texts(), 1):
            text = text.removesuffix("\n")
            yield number, cells_of(text, dialect.mark) if text.strip() else [""], ""
        return
    reader = quoted_rows(texts(), dialect)
    begin = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = f"{error}; a quote within a quoted cell is written twice"
            yield begin, [], f"{table.path} line {begin}: {why}"
        else:
            yield begin, cells or [""], ""
        begin = reader.line_num + 1


def _of_json_lines(table: JSONLines) -> Iterator[EveryRow]:
    with open_text(table.path, table.encoding) as (file, spelled):
        for line in every_line(file, str(table.path), spelled):
            where, why = f"{table.path} line {line.number}", line.why
            entry: Any = {}
            try:
                entry = read_object(line.text) if line.text.strip() and not why else {}
            except ValueError as error:
                why = f"{where} is not a JSON object: {error}"
            if not isinstance(entry, dict):
                why, entry = f"{where} is not a JSON object but {type(entry).__name__}", {}
            yield EveryRow(where, entry, respelled(flattened(entry), table.names), why)


def _of_parquet(table: Parquet) -> Iterator[EveryRow]:
    number = 0
    with parquet_file(table.path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            for entry in batch.to_pylist():
                number += 1
                cells = named_classes(flattened(entry), table.names, table.classes)
                values = dict(zip(table.names, cells, strict=True))
                yield EveryRow(f"{table.path} row {number}", entry, values)
