"""The first rows of what is large, to see how it is read without reading all of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from regard.data.reading.compression import is_packed, open_plain
from regard.data.reading.request import Layout
from regard.data.reading.rows import RowSource
from regard.data.schema import Cell

LARGE = 32 * 2**20
"""Bytes above which files are large."""
ROWS = 5000
"""Rows that are looked at, of each split."""


@dataclass(frozen=True)
class First:
    """The first rows."""

    rows: RowSource
    count: int = ROWS

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        return islice(self.rows.read(notes), self.count)


def first_rows_of(found: Layout) -> Layout | None:
    """The same with the first rows of each split, None where it is not large."""
    files = list(dict.fromkeys(path for rows in found.splits.values() for path in rows.files))
    size = sum(path.stat().st_size for path in files)
    if size < LARGE:
        return None
    splits: dict[str, RowSource] = {split: First(rows) for split, rows in found.splits.items()}
    note = f"{size / 2**20:,.0f} MB, of which a dry run looks at the first {ROWS:,} rows"
    lines = _lines_in(files[0]) if len(files) == 1 else None
    if lines:
        note += f"; there are about {lines:,}"
    return replace(found, splits=splits, notes=(note, *found.notes))


def _lines_in(path: Path) -> int | None:
    """About how many lines a text has, None for a file that is no text as it lies there."""
    if path.suffix.lower() in (".parquet", ".xlsx", ".arrow", ".json") or is_packed(path):
        return None
    with open_plain(path) as file:
        sizes = [len(line) for line in islice(file, ROWS)]
    lines = path.stat().st_size * len(sizes) / max(1, sum(sizes))
    digits = 10 ** max(0, len(str(int(lines))) - 2)
    return round(lines / digits) * digits
