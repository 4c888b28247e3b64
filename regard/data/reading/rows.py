"""The rows of one part of the data, read again each time they are asked for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from regard.data.reading.cells import Bound, converter, split_cell
from regard.data.reading.lines import MAX_LINE_BYTES, lines, running_text
from regard.data.reading.numbers_written import number_in
from regard.data.reading.pictures import picture_path
from regard.data.reading.row_check import RowCheck
from regard.data.reading.tables import Table
from regard.data.schema import Cell, ColumnKind, Schema

_TOTALS = frozenset(
    ("total", "totals", "grand total", "sum", "average", "mean", "gesamt", "summe", "итого")
)
_LONGEST_TOTAL = max(map(len, _TOTALS)) + 2
EMPTY = "rows with nothing in one column left out"


@runtime_checkable
class RowSource(Protocol):
    """Examples of one part of the data, as cells in the order of the task's columns."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        """Every row, once; `notes` counts what was left out or mended."""


@dataclass(frozen=True)
class ParallelFiles:
    """Line n of one file and line n of the other."""

    source: Path
    target: Path
    encodings: tuple[str, str]

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.source, self.target)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        sides = [lines(*side) for side in zip(self.files, self.encodings, strict=True)]
        for number, (one, two) in enumerate(zip_longest(*sides)):
            if one is None or two is None:
                rest = 1 + sum(1 for side in sides for _ in side)
                counts = (number, number + rest) if one is None else (number + rest, number)
                raise ValueError(
                    f"{self.source} has {counts[0]:,} lines, {self.target} has {counts[1]:,}; "
                    "line n of one belongs to line n of the other"
                )
            if one.strip() and two.strip():
                yield one, two
            else:
                notes[EMPTY] += 1


@dataclass(frozen=True)
class LabelledFiles:
    """Files that each hold texts of one label: a text a line, or the `whole` file one text.

    Args:
        labels: a label, the file of its texts and their encoding.
    """

    labels: tuple[tuple[str, Path, str], ...]
    whole: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for _, path, _ in self.labels)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        for label, path, encoding in self.labels:
            for text in self._texts(path, encoding):
                if text.strip():
                    yield text, label
                else:
                    notes[EMPTY] += 1

    def _texts(self, path: Path, encoding: str) -> Iterator[str]:
        if self.whole:
            yield whole_text(path, encoding)
        else:
            yield from lines(path, encoding)


def whole_text(path: Path, encoding: str) -> str:
    """All of a file as one text."""
    size = path.stat().st_size
    if size > MAX_LINE_BYTES:
        raise ValueError(
            f"{path}: {size:,} bytes are more than a text may have ({MAX_LINE_BYTES:,})"
        )
    return "".join(running_text(path, encoding)).removesuffix("\n")


class ParallelTexts(ParallelFiles):
    """One file and the other, each whole as one text."""

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        one, two = (whole_text(*side) for side in zip(self.files, self.encodings, strict=True))
        if one.strip() and two.strip():
            yield one, two
        else:
            notes[EMPTY] += 1


@dataclass(frozen=True)
class Tabled:
    """Columns of a table, in their roles; a list of items is a row for each of them."""

    table: Table
    bounds: tuple[Bound, ...]
    schema: Schema

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.table.path, *self._pictures) if self.table.path else ()

    @cached_property
    def _pictures(self) -> tuple[Path, ...]:
        """The files of pictures that the table names, as far as they are there."""
        roles = zip(self.schema.columns, self.bounds, strict=False)
        names = [b.columns[0] for r, b in roles if r.kind is ColumnKind.IMAGE and b.columns]
        rows = self.table.rows(names) if names else ()
        said = (value.strip() for _, row in rows for value in row if isinstance(value, str))
        found = (picture_path(name, self._folder) for name in dict.fromkeys(said) if name)
        return tuple(path for path in found if path)

    @property
    def _folder(self) -> Path:
        return self.table.path.parent if self.table.path else Path()

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        check = RowCheck(self.schema)
        total: tuple[Cell, ...] | None = None
        for where, row in self._converted():
            if total is not None:
                yield total
                total = None
            if self.schema.running_text:
                # A document ends with its line, so that two of them never run into one.
                text = str(row[0])
                yield (text if text.endswith("\n") else text + "\n",)
            elif check.usable(row, where):
                if _is_total(row):
                    total = row  # It is one where no other row follows.
                else:
                    yield row
            else:
                notes[check.lacking(row)] += 1
        if total is not None:
            notes["row of totals at the end left out"] += 1
        if check.late:
            notes["rows in another order than their times; they are sorted by them"] += check.late

    def _converted(self) -> Iterator[tuple[str, tuple[Cell, ...]]]:
        """Every row as cells, with where it stands."""
        names = list(dict.fromkeys(name for bound in self.bounds for name in bound.columns))
        roles = list(zip(self.schema.columns, self.bounds, strict=False))
        makers = [
            (
                converter(role, bound, self._folder),
                tuple(names.index(name) for name in bound.columns),
            )
            for role, bound in roles
        ]
        items = [
            (names.index(bound.columns[0]), bound.mark)
            for role, bound in roles
            if role.name == self.schema.item_file
        ]
        for where, values in self.table.rows(names):
            for one in _one_each(values, *items[0]) if items else (values,):
                # A list, because a generator for each row takes twice as long.
                yield where, tuple([make([one[n] for n in some], where) for make, some in makers])


def _is_total(row: tuple[Cell, ...]) -> bool:
    """Whether a row is called a total and has numbers alone beside that, as the last of a sheet."""
    first = row[0]
    if not isinstance(first, str) or len(first) > _LONGEST_TOTAL or len(row) < 2:
        return False
    rest = [cell for cell in row[1:] if cell != ""]
    numbers = all(isinstance(each, float) or number_in(str(each)) is not None for each in rest)
    return numbers and first.strip().rstrip(":").lower() in _TOTALS


def _one_each(values: tuple[Any, ...], place: int, mark: str) -> Iterator[Sequence[Any]]:
    """A row, or one for each value of the list at this place, in a cell with `mark` between."""
    found = values[place]
    found = split_cell(found, mark) if mark and isinstance(found, str) else found
    if not isinstance(found, (list, tuple)):
        yield values
        return
    for each in found:
        yield [*values[:place], each, *values[place + 1 :]]


@dataclass(frozen=True)
class Joined:
    """Parts one behind the other."""

    parts: tuple[RowSource, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for part in self.parts for path in part.files)

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        for part in self.parts:
            yield from part.read(notes)


@dataclass(frozen=True)
class Running:
    """A text to be read on and on: its rows, joined, are the text."""

    path: Path
    encoding: str

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        for text in running_text(self.path, self.encoding):
            yield (text,)
