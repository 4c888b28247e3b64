"""A part of the data held out for validation, where none is given."""

from array import array
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
EVERY = 20
"""Of so many copies of a text one is held out, where there are hardly other texts."""

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
            yield "valid" if draw_of(row, self.first_line) < self.below else "train", row


@dataclass(frozen=True)
class DrawDivision:
    """The rows whose first column hashes to one of some draws are to validate on.

    Args:
        copies: count the copies of a text as different ones, where there are no others.
    """

    rows: RowSource
    held: frozenset[int]
    copies: bool = False

    def read(self, notes: Counter[str]) -> Iterator[SplitRow]:
        seen = Counter[int]()
        for row in self.rows.read(notes):
            draw = draw_of(row, False)
            if not self.copies:
                yield "valid" if draw in self.held else "train", row
                continue
            seen[draw] += 1
            yield "valid" if seen[draw] % EVERY == 0 else "train", row


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
            if streaming:
                below = int(STREAMED_SHARE * 2**64)
                note = f"about {STREAMED_SHARE:.0%} of the examples are held out for validation"
                return HashDivision(rows, below, first_line), f"{note}, by their hash"
            below, count = _limit(rows, first_line, where)
            by = (
                f"the hash of how the {schema.columns[0].name} begins"
                if first_line
                else "their hash"
            )
            note = f"{count:,} of the examples are held out for validation, by {by}"
            return HashDivision(rows, below, first_line), note
    raise ValueError(f"{schema.task} holds out its examples itself")


def hold_out_labels(rows: RowSource, held: frozenset[int]) -> tuple[Division, str]:
    """The same for labelled rows: those with these draws, or copies where no label has two texts.

    >>> class Rows:
    ...     files = ()
    ...     def read(self, notes):
    ...         yield from [("so", "good"), ("so so", "bad")] * EVERY
    >>> division, note = hold_out_labels(Rows(), frozenset())
    >>> [row for split, row in division.read(Counter()) if split == "valid"]
    [('so', 'good'), ('so so', 'bad')]
    """
    if held:
        share = "of each label as large a share as can be"
        return DrawDivision(rows, held), f"held out for validation by their hash, {share}"
    note = (
        "the examples of a label are all alike, so that copies of them are held out for "
        "validation: what it measures is only whether they were learned"
    )
    return DrawDivision(rows, held, copies=True), note


def _limit(rows: RowSource, first_line: bool, where: str) -> tuple[int, int]:
    """The draw below which rows are held out, and how many have one."""
    draws = array("Q", (draw_of(row, first_line) for row in rows.read(Counter())))
    count = len(draws)
    if not count or min(draws) >= max(draws):
        raise ValueError(
            f"{where}: {count:,} usable example{'s' * (count != 1)}{', all alike' * (count > 1)}, "
            "and at least 2 different ones are needed, to train on and to validate"
        )
    share = min(SHARE, MOST / count)
    # One at least is held out, and one at least is not.
    below = min(max(int(share * 2**64), min(draws) + 1), max(draws))
    return below, sum(draw < below for draw in draws)


def draw_of(row: tuple[Cell, ...], first_line: bool) -> int:
    """A number for what a row asks, which decides on which side it stands."""
    cell = row[0]
    text = str(cell).partition("\n")[0] if first_line else str(cell)
    whole = cell if isinstance(cell, bytes) else text.encode()
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big")
