"""Tables: named columns of values, row by row, whatever file they are kept in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

PlacedRow = tuple[str, tuple[Any, ...]]
"""Where a row stands (`FILE line 3`), and its values as they are kept: texts, numbers, lists."""

ENDINGS = (
    *(".tsv", ".csv", ".tab", ".inter", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow"),
    *(".xlsx", ".tmx", ".xlf", ".xliff", ".conll", ".conllu", ".bio", ".iob", ".data", ".dat"),
)
"""Endings of files that are tables by their name; a `.txt` may be one by what is in it."""


@runtime_checkable
class Table(Protocol):
    """Named columns."""

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""

    @property
    def said(self) -> tuple[str, ...]:
        """How it is read, as far as that is not plain from the file's name."""

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        """These columns, row by row; raises `ValueError` naming file and line."""


@runtime_checkable
class Opened(Protocol):
    """A table of what is within the cells of another one, a row for each of its rows."""

    @property
    def table(self) -> Table:
        """The table as it is kept."""

    def opened(self, values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """The values of this table's columns in such a row; raises `ValueError` naming it."""


@dataclass(frozen=True)
class OverTable:
    """A table that is made of another one, and is like it in what a subclass does not say."""

    table: Table

    @property
    def path(self) -> Path | None:
        return self.table.path

    @property
    def names(self) -> tuple[str, ...]:
        return self.table.names

    @property
    def said(self) -> tuple[str, ...]:
        return self.table.said

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        return self.table.rows(names)


@dataclass(frozen=True)
class JoinedTables:
    """Tables of the same columns, one behind the other."""

    tables: tuple[Table, ...]

    @property
    def path(self) -> Path | None:
        return self.tables[0].path

    @property
    def names(self) -> tuple[str, ...]:
        return self.tables[0].names

    @property
    def said(self) -> tuple[str, ...]:
        return self.tables[0].said

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for table in self.tables:
            found = [called(name, table.names) for name in names]
            missing = [name for name, same in zip(names, found, strict=True) if same is None]
            if missing:
                raise ValueError(
                    f"{table.path} has no column {missing[0]!r}, as {self.path} has, which is read "
                    f"with it; it has {', '.join(table.names)}"
                )
            yield from table.rows([name for name in found if name is not None])


@dataclass(frozen=True)
class Listed:
    """Rows that are made from a file by a function of it."""

    path: Path
    names: tuple[str, ...]
    made: Callable[[Path], Iterator[PlacedRow]]
    said: tuple[str, ...] = ()

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        places = [self.names.index(name) for name in names]
        for where, row in self.made(self.path):
            yield where, tuple(row[place] for place in places)


def called(name: str, names: Sequence[str]) -> str | None:
    """The column that a name means: written the same, else but for case and outer spaces.

    >>> called("text", ["label", "Text"]), called("n", ["N", "n "])
    ('Text', None)
    """
    if name in names:
        return name
    same = [each for each in names if each.strip().lower() == name.strip().lower()]
    return same[0] if len(same) == 1 else None
