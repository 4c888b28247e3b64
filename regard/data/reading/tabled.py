"""A table for each split: read as a task, its columns in their roles."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from regard.data.reading.cells import Bound
from regard.data.reading.item_file import Described, item_file
from regard.data.reading.lexicon import suggestion
from regard.data.reading.readings import Reading
from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.roles import choose
from regard.data.reading.rows import RowSource, Tabled
from regard.data.reading.split_column import by_split_column
from regard.data.reading.tables import Table, called
from regard.data.schema import Schema


def tabled(
    tables: Mapping[str, Table], where: str, request: DataRequest, encoding: str = "utf-8"
) -> Layout:
    """How tables are read, by the one to train on.

    Raises `ValueError` when it can be read in no way or in several, and when another split lacks a
    column.
    """
    asked = [name for _, text in request.asked for name in text.split(",")]
    tables = by_split_column(tables, asked, request.lexicon.words)
    reading = choose(tables["train"], where, request)
    splits: dict[str, RowSource] = {}
    left: list[str] = []
    for split, table in tables.items():
        missing = _without_answer(table, reading) if split == "test" else None
        if missing:
            left.append(
                f"the test part has no column {missing!r} and is left out; predict reads it"
            )
            continue
        bounds = tuple(_found(bound, table, reading, where) for bound in reading.bounds)
        splits[split] = Tabled(table, bounds, reading.schema)
    columns = tuple(bound.name for bound in reading.bounds)
    notes = (*dict.fromkeys(note for table in tables.values() for note in table.said),)
    name = tables["train"].path
    notes = tuple(f"{Path(where).name}: {note}" for note in notes)
    roles = zip(reading.schema.columns, columns, strict=False)
    layout = Layout(
        reading.schema,
        reading.names,
        splits,
        (*notes, *left, *reading.notes),
        columns,
        encoding,
        absent=tuple(role.name for role, name in roles if not name),
    )
    fewer = len(reading.bounds) < len(reading.schema.columns)
    if reading.schema.item_file and fewer and name:
        return _with_items(layout, name, encoding)
    return layout


def _without_answer(table: Table, reading: Reading) -> str | None:
    """The column of answers that a table has not, where it has all else that is asked by."""
    right = reading.schema.right
    lacking = [
        (role, name)
        for bound, role in zip(reading.bounds, reading.schema.columns, strict=False)
        for name in bound.columns
        if called(name, table.names) is None
    ]
    return lacking[0][1] if len(lacking) == 1 and lacking[0][0] is right else None


def _found(bound: Bound, table: Table, reading: Reading, where: str) -> Bound:
    """The same columns of another split, whatever their case."""
    names = []
    for name in bound.columns:
        same = called(name, table.names)
        if same is None:
            hint = suggestion(name, table.names)
            raise ValueError(f"{table.path} has no column {name!r}, as {where} has; {hint}")
        names.append(same)
    return replace(bound, columns=tuple(names))


def _with_items(found: Layout, first: Path, encoding: str) -> Layout:
    """The same rows with what an `.item` file beside the first file knows, if there is one."""
    schema: Schema = found.schema
    items, notes = item_file(first, schema, encoding)
    if items is None:
        return replace(found, notes=(*found.notes, *notes))
    place = [column.name for column in schema.columns].index(schema.item_file)
    described: dict[str, RowSource] = {
        split: Described(rows, items, place) for split, rows in found.splits.items()
    }
    names = schema.names_of((*found.names, ""))
    return replace(
        found,
        names=names,
        splits=described,
        notes=(*found.notes, *notes),
        columns=(*found.columns, ""),
    )
