"""The rows of one part of the data, read again each time they are asked for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, runtime_checkable

from regard.data.reading.columns import NEEDED
from regard.data.reading.interactions import require_interaction
from regard.data.reading.lines import LONGEST, lines, running_text
from regard.data.reading.tables import Table

EMPTY = "rows with nothing in one column left out"


@runtime_checkable
class Rows(Protocol):
    """Examples of one part of the data, as texts in the order of the task's columns."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        """Every row, once; `notes` counts what was left out or mended."""


@dataclass(frozen=True)
class Pairs:
    """Line n of one file and line n of the other."""

    source: Path
    target: Path
    encoding: str

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.source, self.target)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        sides = [lines(path, self.encoding) for path in self.files]
        for number, (one, two) in enumerate(zip_longest(*sides)):
            if one is None or two is None:
                rest = 1 + sum(1 for side in sides for _ in side)
                counts = (number, number + rest) if one is None else (number + rest, number)
                raise ValueError(
                    f"{self.source} has {counts[0]:,} lines, {self.target} has {counts[1]:,}; "
                    "line n of one must be the translation of line n of the other"
                )
            if one.strip() and two.strip():
                yield one, two
            else:
                notes[EMPTY] += 1


@dataclass(frozen=True)
class Labelled:
    """Files that each hold texts of one label: a text a line, or the `whole` file one text."""

    labels: tuple[tuple[str, Path], ...]
    encoding: str
    whole: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for _, path in self.labels)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        for label, path in self.labels:
            for text in self._texts(path):
                if text.strip():
                    yield text, label
                else:
                    notes[EMPTY] += 1

    def _texts(self, path: Path) -> Iterator[str]:
        if not self.whole:
            yield from lines(path, self.encoding)
            return
        size = path.stat().st_size
        if size > LONGEST:
            raise ValueError(f"{path}: {size:,} bytes are more than a text may have ({LONGEST:,})")
        yield "".join(running_text(path, self.encoding)).removesuffix("\n")


@dataclass(frozen=True)
class Tabled:
    """Columns of a table; one called "" is not there, and empty in every row."""

    table: Table
    columns: tuple[str, ...]
    task: str

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.table.path,) if self.table.path else ()

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        there, timed = tuple(column for column in self.columns if column), None
        needed = NEEDED.get(self.task, len(self.columns))
        for where, cells in self.table.rows(there, self.columns[needed:]):
            filled = iter(cells)
            row = tuple(next(filled) if column else "" for column in self.columns)
            if self.task == "language_model":
                # A document ends with its line, so that two of them never run into one.
                yield (row[0] if row[0].endswith("\n") else row[0] + "\n",)
            elif self.task == "recommend":
                timed = bool(row[3].strip()) if timed is None else timed
                require_interaction(row, timed, where)
                yield row
            elif all(text.strip() for text in row[:needed]):
                yield row
            else:
                notes[EMPTY] += 1


@dataclass(frozen=True)
class Joined:
    """Parts one behind the other."""

    parts: tuple[Rows, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for part in self.parts for path in part.files)

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
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
