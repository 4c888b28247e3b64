"""Rows whose pictures cannot be read: refused by name, or left out and counted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

from regard._printable import shortened
from regard.data.encoding.decoded import decoded
from regard.data.reading.pictures import PictureCell, UnreadablePictureError, checked_picture
from regard.data.reading.request import Layout
from regard.data.reading.rows import RowSource
from regard.data.schema import Cell, ColumnKind

NAMED = 10
"""Pictures that are named where they are left out."""
LEFT_OUT = "rows left out whose picture cannot be read"
"""How such a note begins."""
INSTEAD = "--set unreadable=leave_out learns from the others"


@dataclass(frozen=True)
class ReadablePictures:
    """Rows in whose pictures and masks there are bytes of pictures, or which can be decoded.

    Args:
        split: the part of the data that they are.
        places: of the pictures in a row.
        decoded: whether rows are left out whose pictures cannot be decoded. Otherwise the first
            bytes are looked at, and a row with others is an error.
    """

    rows: RowSource
    split: str
    places: tuple[int, ...]
    decoded: bool

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        if self.decoded:
            yield from self._whole(notes)
            return
        for row in self.rows.read(notes):
            try:
                for place in self.places:
                    checked_picture(row[place])
            except UnreadablePictureError as error:
                raise ValueError(f"{error}; {INSTEAD}") from None
            yield row

    def _whole(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        told, names = "", dict[str, None]()
        verdicts = _Verdicts()
        for row in self.rows.read(notes):
            lost = [row[n] for n in self.places if not verdicts.is_readable(row[n])]
            if not lost:
                yield row
                continue
            count = notes.pop(told, 0)
            names[PictureCell(lost[0]).name] = None  # type: ignore[arg-type]
            told = f"{LEFT_OUT} ({self.split}): {_some(list(names))}"
            notes[told] = count + 1


@dataclass
class _Verdicts:
    """Whether pictures can be read; of those that stand in many rows each is decoded once."""

    known: dict[bytes, bool] = field(default_factory=dict)

    def is_readable(self, cell: Cell) -> bool:
        if not isinstance(cell, PictureCell):
            return True  # Nothing, where that is permitted.
        digest = blake2b(cell.content, digest_size=16).digest()
        if digest not in self.known:
            self.known[digest] = _is_readable(cell)
        return self.known[digest]


def _is_readable(cell: PictureCell) -> bool:
    try:
        decoded(checked_picture(cell).content, cell.name)
    except UnreadablePictureError:
        return False
    except ValueError:
        pass  # It can be read, and the task says what else is wrong.
    return True


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(shortened, names[:NAMED])) + more


def readable(found: Layout, leave_out: bool) -> Layout:
    """The same, with the rows whose pictures cannot be read refused or left out."""
    kinds = [column.kind for column in found.schema.columns[: len(found.names)]]
    places = tuple(n for n, kind in enumerate(kinds) if kind is ColumnKind.IMAGE)
    if not places:
        return found
    splits: dict[str, RowSource] = {
        split: ReadablePictures(rows, split, places, leave_out)
        for split, rows in found.splits.items()
    }
    return replace(found, splits=splits, readable=leave_out)


def unreadable_notes(counts: Counter[str]) -> Counter[str]:
    """Those of some notes that count rows left out for their pictures."""
    return Counter({what: n for what, n in counts.items() if what.startswith(LEFT_OUT)})
