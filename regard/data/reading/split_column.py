"""A table whose rows say themselves which part of the data they are of."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from regard.data.reading.fits import spelled
from regard.data.reading.request import SPLIT_NAMES, split_named
from regard.data.reading.tables import PlacedRow, Table, called

SAMPLED = 1000
"""Rows that tell whether a column names parts."""
_NAMES = frozenset("split set subset partition part fold usage data_split dataset_split".split())


@dataclass(frozen=True)
class OfSplit:
    """The rows of a table that a column says to be of one part."""

    table: Table
    column: str
    split: str

    @property
    def path(self) -> Path | None:
        return self.table.path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.table.names if name != self.column)

    @property
    def said(self) -> tuple[str, ...]:
        return (*self.table.said, f"its column {self.column!r} says which part a row is of")

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for where, (said, *cells) in self.table.rows((self.column, *names)):
            named = split_named(str(said).strip())
            if named is None:
                raise ValueError(
                    f"{where}: {self.column!r} is {said!r}, and is one of {', '.join(SPLIT_NAMES)} "
                    "in the other rows; mend it, or leave the column out"
                )
            if named == self.split:
                yield where, tuple(cells)


def by_split_column(
    tables: Mapping[str, Table], asked: Collection[str] = ()
) -> Mapping[str, Table]:
    """A table for each part that a column of the only one names; the same where none does.

    Args:
        asked: columns that the caller named, which are of the data.
    """
    if {*tables} != {"train"}:
        return tables
    table = tables["train"]
    taken = {called(name, table.names) for name in asked}
    for column in table.names:
        if spelled(column) not in _NAMES or column in taken:
            continue
        values = {str(value).strip() for _, (value,) in islice(table.rows([column]), SAMPLED)}
        found = {split_named(value) for value in values}
        if None not in found and "train" in found and len(found) > 1:
            return {split: OfSplit(table, column, split) for split in SPLIT_NAMES if split in found}
    return tables
