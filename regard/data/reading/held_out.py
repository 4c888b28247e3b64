"""A part of the data held out for validation, where none is given."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from regard.data.reading.pictures import PictureCell
from regard.data.reading.rows import RowSource
from regard.data.schema import ByHash, Cell, Schema

MOST, SHARE = 1000, 0.05
"""Examples, and the share of all, that are held out at most."""
STREAMED_SHARE = 0.01
AT_ONCE = 2**14
"""Numbers that are looked up at a time."""
EVERY = 20
"""Of so many copies of a text one is held out, where there are hardly other texts."""


@dataclass(frozen=True)
class HeldOut:
    """The rows of one side: those whose first column hashes below a limit are to validate on.

    So whatever was written twice stands on one side, and no seed and no order moves a row. By the
    `first_line`, what else is told or asked in a text that begins alike stands there too.
    """

    rows: RowSource
    below: int
    first_line: bool
    split: str

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        for row in self.rows.read(notes):
            draw = int.from_bytes(_digest(_drawn(row, self.first_line)), "big")
            if (draw < self.below) == (self.split == "valid"):
                yield row


def streamed_sides(rows: RowSource, schema: Schema) -> tuple[dict[str, HeldOut], str]:
    """Rows that are read as they come, to train on and to validate on, and what is to be said.

    Raises `ValueError` for a running text, whose end is not known.
    """
    held = schema.hold_out
    if not isinstance(held, ByHash):
        raise ValueError(
            f"{where_of(rows)}: a streamed text needs a file of its own to validate on"
        )
    note = f"about {STREAMED_SHARE:.0%} of the examples are held out for validation, by their hash"
    below = int(STREAMED_SHARE * 2**64)
    return {s: HeldOut(rows, below, held.first_line, s) for s in ("train", "valid")}, note


def held_by_hash(draws: np.ndarray, where: str) -> np.ndarray:
    """Which rows are held out: those with the lowest draws.

    Raises `ValueError` when there is too little to divide.
    """
    count = len(draws)
    low, high = (int(draws.min()), int(draws.max())) if count else (0, 0)
    if low >= high:
        raise ValueError(
            f"{where}: {count:,} usable example{'s' * (count != 1)}{', all alike' * (count > 1)}, "
            "and at least 2 different ones are needed, to train on and to validate"
        )
    share = min(SHARE, MOST / count)
    # One at least is held out, and one at least is not.
    return draws < np.uint64(min(max(int(share * 2**64), low + 1), high))


def copies_held(draws: np.ndarray) -> np.ndarray:
    """Of so many copies of a text one, where there are hardly other texts.

    >>> copies_held(np.array([7, 5] * EVERY)).nonzero()[0].tolist()
    [38, 39]
    """
    order = np.argsort(draws, kind="stable")
    alike = draws[order]
    first = np.maximum.accumulate(
        np.where(np.diff(alike, prepend=~alike[:1]), np.arange(len(alike)), 0)
    )
    held = np.zeros(len(draws), dtype=bool)
    held[order] = (np.arange(len(alike)) - first + 1) % EVERY == 0
    return held


def among(numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Whether each number is one of the known ones, which are sorted.

    >>> among(np.array([3, 5, 9]), np.array([3, 4, 9])).tolist()
    [True, False, True]
    """
    found = np.zeros(len(numbers), dtype=bool)
    # In pieces: the places of all would take as much memory as the numbers.
    for start in range(0, len(numbers) if len(known) else 0, AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        places = np.minimum(np.searchsorted(known, some), len(known) - 1)
        found[start : start + AT_ONCE] = known[places] == some
    return found


def draws_of(rows: Sequence[tuple[Cell, ...]], first_line: bool) -> np.ndarray:
    """A number for what each row asks, which decides on which side it stands.

    Args:
        first_line: by the first line of the first column alone.
    """
    return hashes(_drawn(row, first_line) for row in rows)


def hashes(cells: Iterable[bytes]) -> np.ndarray:
    """A number of 64 bits for each."""
    whole = b"".join([_digest(each) for each in cells])
    return np.frombuffer(whole, dtype=">u8").astype(np.uint64)


def _digest(cell: bytes) -> bytes:
    return blake2b(cell, digest_size=8).digest()


def _drawn(row: tuple[Cell, ...], first_line: bool) -> bytes:
    cell = row[0]
    if isinstance(cell, bytes):
        # A picture is the same under any name.
        return cell.content if isinstance(cell, PictureCell) else cell
    return (str(cell).partition("\n")[0] if first_line else str(cell)).encode()


def where_of(rows: RowSource) -> str:
    """What rows are called where they are too few: their files."""
    return ", ".join(str(path) for path in rows.files[:2]) or "the data"
