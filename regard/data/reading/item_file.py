"""What is known of the items: RecBole's `.item` file beside the interactions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.request import split_named
from regard.data.reading.rows import RowSource
from regard.data.reading.separated import Dialect, Separated
from regard.data.schema import Cell, Schema

OWN = 0.9
"""A column with more different values than this share of its items says what their names say."""


@dataclass(frozen=True)
class ItemFile:
    """Columns of a table of items; `key` is that of their names."""

    path: Path
    encoding: str
    key: str
    columns: tuple[str, ...]

    def known(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each item and its values, "" for none; raises `ValueError` naming file and line."""
        head = next(lines(self.path, self.encoding), "").split("\t")
        names = tuple(name.partition(":")[0] for name in head)
        table = Separated(self.path, self.encoding, Dialect("\t"), names, True, len(names))
        for _, cells in table.rows((self.key, *self.columns)):
            item, *values = (str(cell).strip() for cell in cells)
            yield item, tuple(values)


@dataclass(frozen=True)
class Described:
    """Rows, each with what a file says of the item in column `place`: values between tabs."""

    rows: RowSource
    items: ItemFile
    place: int

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.rows.files, self.items.path)

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        known = dict(self.items.known())
        for row in self.rows.read(notes):
            yield (*row, "\t".join(known.get(str(row[self.place]).strip(), ())))


def item_file(
    interactions: Path, schema: Schema, encoding: str
) -> tuple[ItemFile | None, tuple[str, ...]]:
    """The file beside `interactions` that describes the items, and what is to be said about it.

    Its header names types: of `class:token` and `genres:token_seq` the whole cell is one value,
    numbers (`year:float`) are left out, and so is what nearly every item has of its own, such as a
    title. None where there is no such file, or nothing is left of it.

    Raises `ValueError` when it has no column of items.
    """
    path = interactions.with_suffix(".item")
    name, _, part = interactions.stem.rpartition(".")
    if name and split_named(part):  # beside ml.train.inter, ml.item
        path = interactions.with_name(f"{name}.item")
    if interactions.suffix.lower() != ".inter" or not path.is_file():
        return None, ()
    head = next(lines(path, encoding), "")
    kinds = {name: kind for name, _, kind in (cell.partition(":") for cell in head.split("\t"))}
    called = schema.column(schema.item_file).called
    key = next((name for name in kinds if name.lower() in called), None)
    if key is None:
        raise ValueError(f"{path} line 1: no column is called item_id:token, it is {head[:80]!r}")
    words = tuple(n for n, kind in kinds.items() if kind.startswith("token") and n != key)
    columns = _shared(ItemFile(path, encoding, key, words))
    if not columns:
        return None, (f"{path.name} has no column of words that items share, and is not read",)
    left = [name for name in words if name not in columns]
    note = f"what is known of the items is read from {path.name}: {', '.join(columns)}"
    without = f" (not {', '.join(left)}: nearly every item has its own)" if left else ""
    return ItemFile(path, encoding, key, columns), (note + without,)


def _shared(items: ItemFile) -> tuple[str, ...]:
    """The columns whose values several items have."""
    counts, values = Counter[str](), dict[str, set[str]]()
    for _, row in items.known():
        for column, value in zip(items.columns, row, strict=True):
            if value:
                counts[column] += 1
                values.setdefault(column, set()).add(value)
    return tuple(c for c in items.columns if c in values and len(values[c]) <= OWN * counts[c])
