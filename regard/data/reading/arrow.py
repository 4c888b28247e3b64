"""Rows kept in an Arrow file, which is read through memory and may be larger than it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.schema import Cell, Column, ColumnKind

ROWS_HELD, SIZE_HELD = 1000, 4 * 2**20
"""Rows, and their characters and bytes, that are gathered at most before they are written."""


@dataclass(frozen=True)
class SplitSize:
    """What a file holds; the characters are those of texts, the bytes all of the file."""

    rows: int
    characters: int
    bytes: int


class ArrowWriter:
    """Writes rows into a new file as they come; use it in `with`.

    Columns of kind `FLOAT` become doubles, those of `BYTES` binary, all others strings.
    """

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        arrow = extra("pyarrow")
        types = {ColumnKind.FLOAT: arrow.float64(), ColumnKind.BYTES: arrow.binary()}
        fields = [(each.name, types.get(each.kind, arrow.string())) for each in columns]
        self._path, self._schema = path, arrow.schema(fields)
        self._gathered: list[tuple[Cell, ...]] = []
        self._held = self._rows = self._characters = 0

    def __enter__(self) -> "ArrowWriter":
        arrow = extra("pyarrow")
        self._file = arrow.OSFile(str(self._path), "wb")
        self._stream = arrow.ipc.new_stream(self._file, self._schema)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
            self._stream.close()
        finally:
            self._file.close()

    def add(self, row: tuple[Cell, ...]) -> None:
        """Write a row, with a cell for each column."""
        self._gathered.append(row)
        self._held += sum(len(cell) for cell in row if not isinstance(cell, float))
        self._characters += sum(len(cell) for cell in row if isinstance(cell, str))
        if len(self._gathered) >= ROWS_HELD or self._held >= SIZE_HELD:
            self._flush()

    @property
    def size(self) -> SplitSize:
        """What was written, when the file is closed."""
        return SplitSize(self._rows, self._characters, self._path.stat().st_size)

    def _flush(self) -> None:
        arrow = extra("pyarrow")
        if self._gathered:
            columns = zip(*self._gathered, strict=True)
            arrays = [
                arrow.array(list(column), field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ]
            self._stream.write_batch(arrow.record_batch(arrays, schema=self._schema))
        self._rows += len(self._gathered)
        self._held = 0
        self._gathered.clear()


def open_arrow(path: Path) -> Any:
    """The `datasets.Dataset` in such a file, memory-mapped."""
    return extra("datasets").Dataset.from_file(str(path))
