"""Rows written as Parquet, and what their columns hold."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.writing.values import as_cell

AT_ONCE = 1000
"""Rows that are held until they are written."""


class ParquetRows:
    """Writes rows of a schema of Arrow; what is to be text and is none is spelled as a cell."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._schema = schema
        self._writer = extra("pyarrow.parquet").ParquetWriter(path, schema)
        self._rows: list[Mapping[str, Any]] = []
        self._texts = {f.name for f in schema if extra("pyarrow").types.is_string(f.type)}

    def __enter__(self) -> "ParquetRows":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row."""
        texts = {name for name in self._texts if not isinstance(row.get(name), str | None)}
        self._rows.append({**row, **{name: as_cell(row[name]) for name in texts}})
        if len(self._rows) == AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        table = extra("pyarrow").Table.from_pylist(self._rows, schema=self._schema)
        self._writer.write_table(table)
        self._rows = []


def schema_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """The schema of Arrow that all rows fit; columns of different kinds are text.

    >>> schema_of([{"a": 1, "b": "x"}, {"a": 2.5, "b": 3}], ["a", "b"])
    a: double
    b: string
    """
    arrow = extra("pyarrow")
    found = dict.fromkeys(columns, arrow.null())
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        for name in columns:
            found[name] = _common(found[name], [row.get(name) for row in some])
    nothing = {name for name, kind in found.items() if arrow.types.is_null(kind)}
    return arrow.schema(
        [(name, arrow.string() if name in nothing else kind) for name, kind in found.items()]
    )


def _common(known: Any, values: Sequence[Any]) -> Any:
    arrow = extra("pyarrow")
    try:
        schemas = [arrow.schema([("x", each)]) for each in (known, arrow.array(values).type)]
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (arrow.ArrowException, TypeError, ValueError, OverflowError):
        return arrow.string()
