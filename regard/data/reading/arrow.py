"""Rows kept in an Arrow file, which is read through memory and may be larger than it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regard._io.extra import extra
from regard.data.schema import Cell, Column, ColumnKind

ROWS_HELD, SIZE_HELD = 1000, 4 * 2**20
"""Rows, and their characters and bytes, that are gathered at most before they are written."""


@dataclass(frozen=True)
class SplitSize:
    """What a file holds."""

    rows: int
    bytes: int


def arrow_schema(columns: Sequence[Column]) -> Any:
    """How columns are kept: of kind `FLOAT` doubles, `BYTES` and `IMAGE` binary, others strings."""
    arrow = extra("pyarrow")
    types = {
        ColumnKind.FLOAT: arrow.float64(),
        ColumnKind.BYTES: arrow.binary(),
        ColumnKind.IMAGE: arrow.binary(),
    }
    return arrow.schema([(each.name, types.get(each.kind, arrow.string())) for each in columns])


class ArrowWriter:
    """Writes rows into a new file as they come; use it in `with`."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._path, self._schema = path, arrow_schema(columns)
        self._rows = 0

    def __enter__(self) -> "ArrowWriter":
        arrow = extra("pyarrow")
        self._file = arrow.OSFile(str(self._path), "wb")
        self._stream = arrow.ipc.new_stream(self._file, self._schema)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._stream.close()
        finally:
            self._file.close()

    def write(self, rows: Sequence[tuple[Cell, ...]]) -> None:
        """Write some rows, with a cell for each column."""
        columns = zip(*rows, strict=True)
        self.write_batch(batch_of(list(columns), self._schema))

    def write_batch(self, batch: Any) -> None:
        """Write rows that are an Arrow batch already."""
        if batch.num_rows:
            self._stream.write_batch(batch)
        self._rows += batch.num_rows

    @property
    def size(self) -> SplitSize:
        """What was written, when the file is closed."""
        return SplitSize(self._rows, self._path.stat().st_size)


def gathered(rows: Iterable[tuple[Cell, ...]]) -> Iterator[list[tuple[Cell, ...]]]:
    """Rows, as many together as memory bears."""
    some: list[tuple[Cell, ...]] = []
    held = 0
    for row in rows:
        some.append(row)
        for cell in row:
            if not isinstance(cell, float):
                held += len(cell)
        if len(some) >= ROWS_HELD or held >= SIZE_HELD:
            yield some
            some, held = [], 0
    if some:
        yield some


def batch_of(columns: Sequence[Sequence[Cell]], schema: Any) -> Any:
    """An Arrow batch of these columns."""
    arrow = extra("pyarrow")
    arrays = [_array(cells, field.type) for cells, field in zip(columns, schema, strict=True)]
    return arrow.record_batch(arrays, schema=schema)


def batches(path: Path) -> Iterator[Any]:
    """The batches of such a file, one in memory at a time."""
    arrow = extra("pyarrow")
    with arrow.OSFile(str(path), "rb") as file, arrow.ipc.open_stream(file) as stream:
        yield from stream


def _array(cells: Sequence[Cell], kind: Any) -> Any:
    """An Arrow array; made of its buffers, because `pyarrow.array` would load pandas for it."""
    arrow = extra("pyarrow")
    if kind == arrow.float64():
        buffers = [None, arrow.py_buffer(np.array(cells, dtype="<f8"))]
    else:
        encoded = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells]
        ends = np.cumsum([0, *map(len, encoded)], dtype="<i4")
        buffers = [None, arrow.py_buffer(ends), arrow.py_buffer(b"".join(encoded))]
    return arrow.Array.from_buffers(kind, len(cells), buffers)


def open_arrow(path: Path) -> Any:
    """The `datasets.Dataset` in such a file, memory-mapped."""
    return extra("datasets").Dataset.from_file(str(path))


def in_batches(rows: Any) -> Iterator[Mapping[str, list[Any]]]:
    """All rows in order, a thousand at a time, each time a list for each column.

    Args:
        rows: a data set, or anything of which a slice is such lists.
    """
    for start in range(0, len(rows), ROWS_HELD):
        yield rows[start : start + ROWS_HELD]


class StoredSplits(Mapping[str, Any]):
    """The `datasets.Dataset` of each split, opened when asked for: the package takes a second.

    Args:
        paths: split → its file.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)
        self._opened: dict[str, Any] = {}

    def __getitem__(self, split: str) -> Any:
        if split not in self._opened:
            self._opened[split] = open_arrow(self._paths[split])
        return self._opened[split]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def first(self, count: int) -> dict[str, "FirstRows"]:
        """The first rows of each split, in memory."""
        return {split: FirstRows(read_first(path, count)) for split, path in self._paths.items()}


@dataclass(frozen=True)
class FirstRows:
    """Rows as a `datasets.Dataset` gives them: a slice is a list for each column."""

    columns: Mapping[str, list[Any]]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, key: slice | str) -> Any:
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))


def read_first(path: Path, count: int) -> dict[str, list[Any]]:
    """The first rows of such a file, a list for each column."""
    arrow = extra("pyarrow")
    with arrow.memory_map(str(path)) as file, arrow.ipc.open_stream(file) as stream:
        found: dict[str, list[Any]] = {name: [] for name in stream.schema.names}
        for batch in stream:
            left = count - len(next(iter(found.values()), []))
            for name, values in batch.slice(0, left).to_pydict().items():
                found[name] += values
            if left <= batch.num_rows:
                break
    return found
