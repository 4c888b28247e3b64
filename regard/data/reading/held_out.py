"""A part of the data held out for validation, where none is given."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, runtime_checkable

from regard.data.reading.rows import RowSource
from regard.data.schema import AtEnd, ByHash, Cell, Schema

MOST, SHARE = 1000, 0.05
"""Examples, and the share of all, that are held out at most."""
STREAMED_SHARE = 0.01

SplitRow = tuple[str, tuple[Cell, ...]]
"""The name of a split, and a row of it."""


@runtime_checkable
class Division(Protocol):
    """Rows of which some are to train on and some to validate on."""

    @property
    def rows(self) -> RowSource:
        """All of them."""

    def read(self, notes: Counter[str]) -> Iterator[SplitRow]:
        """Every row with the split that it belongs to, in one reading of the data."""


@dataclass(frozen=True)
class HashDivision:
    """The rows whose first column hashes below a limit are to validate on.

    So whatever was written twice stands on one side, and no seed and no order moves a row. By the
    `first_line`, what else is told or asked in a text that begins alike stands there too.
    """

    rows: RowSource
    below: int
    first_line: bool

    def read(self, notes: Counter[str]) -> Iterator[SplitRow]:
        for row in self.rows.read(notes):
            yield "valid" if _draw(row, self.first_line) < self.below else "train", row


@dataclass(frozen=True)
class EndDivision:
    """The characters of a running text from `cut` on are to validate on."""

    rows: RowSource
    cut: int

    def read(self, notes: Counter[str]) -> Iterator[SplitRow]:
        begin = 0
        for (text,) in self.rows.read(notes):
            place = max(0, self.cut - begin)
            for split, piece in (("train", str(text)[:place]), ("valid", str(text)[place:])):
                if piece:
                    yield split, (piece,)
            begin += len(str(text))


@dataclass(frozen=True)
class HeldOut:
    """One side of a division."""

    division: Division
    split: str

    @property
    def files(self) -> tuple[Path, ...]:
        return self.division.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        for split, row in self.division.read(notes):
            if split == self.split:
                yield row


def hold_out(rows: RowSource, schema: Schema, streaming: bool) -> tuple[Division, str]:
    """Rows to train on and to validate on, and what is to be said about it.

    Raises `ValueError` when there is too little to divide.
    """
    where = ", ".join(str(path) for path in rows.files[:2]) or "the data"
    match schema.hold_out:
        case AtEnd(share):
            if streaming:
                raise ValueError(f"{where}: a streamed text needs a file of its own to validate on")
            total = sum(len(str(text)) for (text,) in rows.read(Counter()))
            cut = int(total * (1 - share))
            if not 0 < cut < total:
                raise ValueError(
                    f"{where}: {total} characters are too few to train on and validate"
                )
            note = f"the last {share:.0%} of the text is held out for validation"
            return EndDivision(rows, cut), note
        case ByHash(first_line):
            below, part = (
                (int(STREAMED_SHARE * 2**64), STREAMED_SHARE)
                if streaming
                else _limit(rows, first_line, where)
            )
            by = (
                f"the hash of how the {schema.columns[0].name} begins"
                if first_line
                else "their hash"
            )
            note = f"about {part:.1%} of the training examples are held out for validation, by {by}"
            return HashDivision(rows, below, first_line), note
    raise ValueError(f"{schema.task} holds out its examples itself")


def _limit(rows: RowSource, first_line: bool, where: str) -> tuple[int, float]:
    count, least, most = 0, 2**64, -1
    for row in rows.read(Counter()):
        draw = _draw(row, first_line)
        count, least, most = count + 1, min(least, draw), max(most, draw)
    if least >= most:
        raise ValueError(
            f"{where}: {count:,} usable example{'s' * (count != 1)}{', all alike' * (count > 1)}, "
            "and at least 2 different ones are needed, to train on and to validate"
        )
    share = min(SHARE, MOST / count)
    # One at least is held out, and one at least is not.
    return min(max(int(share * 2**64), least + 1), most), share


def _draw(row: tuple[Cell, ...], first_line: bool) -> int:
    cell = row[0]
    text = str(cell).partition("\n")[0] if first_line else str(cell)
    whole = cell if isinstance(cell, bytes) else text.encode()
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big")
