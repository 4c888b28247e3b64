"""Tables that people keep examples in: `.tsv`, `.csv`, `.jsonl` and `.parquet`, row by row."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from regard._io.extra import extra
from regard._io.files import read_json
from regard.data.reading.cells import cell, columns_of, flattened
from regard.data.reading.lexicon import Lexicon, suggestion
from regard.data.reading.lines import MAX_LINE_BYTES, lines
from regard.data.schema import Cell, Column, ColumnKind

PlacedRow = tuple[str, tuple[Cell, ...]]
"""Where a row stands (`FILE line 3`), and its cells."""

TABLES = (".tsv", ".csv", ".inter", ".jsonl", ".ndjson", ".json", ".parquet")


@runtime_checkable
class TableReader(Protocol):
    """Named columns."""

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""

    def rows(self, names: Sequence[str], roles: Sequence[Column] = ()) -> Iterator[PlacedRow]:
        """These columns, row by row, each in its role; without roles all are texts.

        Raises `ValueError` naming file and line.
        """


def open_table(path: Path, lexicon: Lexicon, encoding: str = "utf-8") -> TableReader:
    """The table in a file, by the file's ending."""
    match path.suffix.lower():
        case ".tsv" | ".csv" | ".inter" | ".item":
            return separated(path, encoding, lexicon.is_header)
        case ".parquet":
            return parquet(path, lexicon)
        case _:
            return json_lines(path, encoding, lexicon)


_NO_WORDS = Lexicon.of(())
_TYPED = (ColumnKind.FLOAT, ColumnKind.BYTES)
"""Kinds of column that are not kept as they are written."""


@dataclass(frozen=True)
class Separated:
    """Cells between tabs (a tab always ends a cell) or between commas (quoted as in RFC 4180)."""

    path: Path
    encoding: str
    names: tuple[str, ...]
    header: bool

    def rows(self, names: Sequence[str], roles: Sequence[Column] = ()) -> Iterator[PlacedRow]:
        places = [self.names.index(name) for name in names]
        typed = [n for n, role in enumerate(roles) if role.kind in _TYPED]
        for where, cells in islice(_cells(self.path, self.encoding), int(self.header), None):
            if len(cells) != len(self.names):
                raise ValueError(
                    f"{where}: {len(cells)} columns, where the first row has {len(self.names)} "
                    f"({', '.join(self.names)})"
                )
            row: list[Cell] = [cells[place] for place in places]
            for number in typed:
                place = f"{where}: {names[number]!r}"
                row[number] = cell(row[number], place, names[number], roles[number], _NO_WORDS)
            yield where, tuple(row)


@dataclass(frozen=True)
class JSONLines:
    """One object a line; an object within (`translation`) counts as columns of its own."""

    path: Path
    encoding: str
    names: tuple[str, ...]
    lexicon: Lexicon

    def rows(self, names: Sequence[str], roles: Sequence[Column] = ()) -> Iterator[PlacedRow]:
        roles = roles or [Column(name) for name in names]
        for where, entry in _objects(self.path, self.encoding):
            values = []
            for name, role in zip(names, roles, strict=True):
                if name not in entry and not role.optional:
                    hint = suggestion(name, tuple(entry))
                    raise ValueError(f"{where}: the key {name!r} is missing; {hint}")
                place = f"{where}: {name!r}"
                values.append(cell(entry.get(name), place, name, role, self.lexicon))
            yield where, tuple(values)


@dataclass(frozen=True)
class Parquet:
    """Columns of text, whole numbers and whatever else they may hold, read in small batches."""

    path: Path
    names: tuple[str, ...]
    lexicon: Lexicon

    def rows(self, names: Sequence[str], roles: Sequence[Column] = ()) -> Iterator[PlacedRow]:
        roles, number = roles or [Column(name) for name in names], 0
        with extra("pyarrow.parquet").ParquetFile(self.path) as file:
            roots = list(dict.fromkeys(name.split(".")[0] for name in names))
            for batch in file.iter_batches(batch_size=1000, columns=roots):
                for entry in batch.to_pylist():
                    number += 1
                    where, flat = f"{self.path} row {number}", flattened(entry)
                    cells = (
                        cell(flat.get(name), f"{where}: {name!r}", name, role, self.lexicon)
                        for name, role in zip(names, roles, strict=True)
                    )
                    yield where, tuple(cells)


def separated(path: Path, encoding: str, is_header: Callable[[Sequence[str]], bool]) -> Separated:
    """Such a file; without a header the columns are called by their numbers, from 1."""
    first = next(_cells(path, encoding), None)
    if first is None:
        raise ValueError(f"{path} has no row")
    # RecBole's files name the type of a column behind it, `rating:float`.
    titles = tuple(re.sub(r":(token|float|token_seq|float_seq)$", "", title) for title in first[1])
    header = is_header(titles)
    names = titles if header else tuple(str(n + 1) for n in range(len(titles)))
    if len(set(names)) < len(names):
        raise ValueError(f"{first[0]}: two columns have one name: {', '.join(names)}")
    return Separated(path, encoding, names, header)


def json_lines(path: Path, encoding: str, lexicon: Lexicon) -> JSONLines:
    """Such a file; the first object's keys are the columns."""
    first = next(_objects(path, encoding), None)
    if first is None:
        raise ValueError(f"{path} has no object")
    return JSONLines(path, encoding, columns_of(first[1], lexicon), lexicon)


def parquet(path: Path, lexicon: Lexicon) -> Parquet:
    """Such a file; raises `ValueError` when no column holds text or is known by its name."""
    arrow = extra("pyarrow")
    try:
        with extra("pyarrow.parquet").ParquetFile(path) as file:
            schema = arrow.schema(file.schema_arrow)
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a Parquet file that can be read: {error}") from None
    kinds = {field.name: field.type for field in _fields(schema)}
    names = tuple(
        name
        for name, kind in kinds.items()
        if _holds_text(kind)
        or _is_whole(kind)
        or name.lower() in lexicon.numbers
        or (_holds_bytes(kind) and name.lower() in lexicon.binary)
    )
    if not any(_holds_text(kinds[name]) for name in names) and not lexicon.is_header(names):
        spelled = ", ".join(f"{name} ({str(kind)[:40]})" for name, kind in kinds.items())
        raise ValueError(f"{path} has no column of text; its columns are {spelled}")
    return Parquet(path, names, lexicon)


def _objects(path: Path, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines(path, encoding), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            entry = read_json(line)
        except ValueError as error:
            raise ValueError(f"{where} is not a JSON object: {error}") from None
        if not isinstance(entry, dict):
            raise ValueError(
                f"{where} is not a JSON object but {type(entry).__name__}; a .jsonl file has one "
                'object a line, such as {"text": "fine", "label": "good"}'
            )
        yield where, flattened(entry)


def _cells(path: Path, encoding: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a separated file that are not blank."""
    if path.suffix.lower() != ".csv":
        for number, line in enumerate(lines(path, encoding), 1):
            if line.strip():
                yield f"{path} line {number}", tuple(line.split("\t"))
        return
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    reader = csv.reader((f"{line}\n" for line in lines(path, encoding)), strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield f"{path} line {begin}", tuple(cells)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path} line {begin}: {error}") from None


def _fields(schema: Any) -> Iterator[Any]:
    types = extra("pyarrow").types
    for field in schema:
        if types.is_struct(field.type):
            inner = field.flatten()  # the languages of a translation, but not a picture's path
            yield from inner if all(_holds_text(each.type) for each in inner) else (field,)
        else:
            yield field


def _holds_text(kind: Any) -> bool:
    types = extra("pyarrow").types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _holds_bytes(kind: Any) -> bool:
    types = extra("pyarrow").types
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_whole(kind: Any) -> bool:
    types = extra("pyarrow").types
    return types.is_integer(kind) or types.is_boolean(kind)
