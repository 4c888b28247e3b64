"""Tables written row by row, in the format that a file's ending names."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from regard._io.files import written_whole
from regard.data.writing.parquet_writer import ParquetRows
from regard.data.writing.values import as_cell, as_json, on_one_line

Row = Mapping[str, Any]


class RowWriter(ABC):
    """Writes rows as text.

    Args:
        file: where to.
        columns: of the table, in their order.
    """

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self.file, self.columns = file, columns

    @abstractmethod
    def write(self, row: Row) -> None:
        """Write a row; what it has no value for is empty."""


class CSVRows(RowWriter):
    """Cells between commas, quoted where that is needed (RFC 4180), below their names."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        super().__init__(file, columns)
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(columns)

    def write(self, row: Row) -> None:
        """Write a line, or as many as the cells have."""
        self._writer.writerow([as_cell(row.get(name)) for name in self.columns])


class TSVRows(RowWriter):
    """Cells between tabs below their names, a line a row: tabs and ends of lines are escaped."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        super().__init__(file, columns)
        self.write({name: name for name in columns})

    def write(self, row: Row) -> None:
        """Write a line."""
        cells = (on_one_line(as_cell(row.get(name))) for name in self.columns)
        self.file.write("\t".join(cells) + "\n")


class JSONRows(RowWriter):
    """An object a line, with all that its row has."""

    def write(self, row: Row) -> None:
        """Write a line."""
        self.file.write(json.dumps(as_json(row), ensure_ascii=False) + "\n")


class OneColumn(RowWriter):
    """The first column alone, a line for each row, without its name."""

    def write(self, row: Row) -> None:
        """Write a line."""
        self.file.write(on_one_line(as_cell(row.get(self.columns[0]))) + "\n")


TEXTS: dict[str, Callable[[TextIO, Sequence[str]], RowWriter]] = {
    ".csv": CSVRows,
    ".tsv": TSVRows,
    ".jsonl": JSONRows,
    ".txt": OneColumn,
}
PARQUET = ".parquet"
WRITTEN = (*TEXTS, PARQUET)
"""Endings of the files that can be written."""


def check_out(path: Path, force: bool) -> None:
    """Raise `ValueError` unless a table can be written there: by its ending, and over nothing."""
    if path.suffix.lower() not in WRITTEN:
        raise ValueError(
            f"{path} cannot be written: it must end in one of {', '.join(WRITTEN)}, which says "
            "its format"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file in it")
    if path.exists() and not force:
        raise ValueError(f"{path} is there already; say --force to write over it, or another name")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}")


@contextmanager
def rows_written(
    path: Path, columns: Sequence[str], arrow_schema: Callable[[], Any]
) -> Iterator[Callable[[Row], None]]:
    """What writes a row into a file, which is there when all are written, and not at all otherwise.

    Args:
        columns: of the table, in their order.
        arrow_schema: says what the columns hold, where the format needs to know.
    """
    with written_whole(path) as temporary:
        if path.suffix.lower() == PARQUET:
            with ParquetRows(temporary, arrow_schema()) as rows:
                yield rows.write
        else:
            with open(temporary, "w", encoding="utf-8", newline="") as file:
                yield TEXTS[path.suffix.lower()](file, columns).write
