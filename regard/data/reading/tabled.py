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
from regard.data.reading.tables import Table, called
from regard.data.schema import Schema


def tabled(
    tables: Mapping[str, Table], where: str, request: DataRequest, encoding: str = "utf-8"
) -> Layout:
    """How tables are read, by the one to train on.

    Raises `ValueError` when it can be read in no way or in several, and when another split lacks a
    column.
    """
    reading = choose(tables["train"], where, request)
    splits: dict[str, RowSource] = {}
    for split, table in tables.items():
        bounds = tuple(_found(bound, table, reading, where) for bound in reading.bounds)
        splits[split] = Tabled(table, bounds, reading.schema)
    columns = tuple(bound.name for bound in reading.bounds)
    notes = (*dict.fromkeys(note for table in tables.values() for note in table.said),)
    name = tables["train"].path
    notes = tuple(f"{Path(where).name}: {note}" for note in notes)
    layout = Layout(
        reading.schema, reading.names, splits, (*notes, *reading.notes), columns, encoding
    )
    missing = len(reading.bounds) < len(reading.schema.columns)
    if reading.schema.item_file and missing and name:
        return _with_items(layout, name, encoding)
    return layout


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
