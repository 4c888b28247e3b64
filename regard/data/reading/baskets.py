"""What was bought together, a basket on each line: `milk,bread,tea`, as many as there were."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

from regard.data.reading.compression import inner_suffix
from regard.data.reading.fits import PARTLY, name_fit
from regard.data.reading.lines import lines
from regard.data.reading.profile import Holds, profile
from regard.data.reading.separated import Dialect, quoted_rows
from regard.data.reading.tables import Listed, OverTable, PlacedRow, Table
from regard.data.schema import Column

SAMPLED = 400
"""Lines by which a file is recognized."""
FEWEST, ASKED = 10, 2
"""Baskets that there are at least, and where the caller asked for such."""
LONGEST, MOST_WORDS = 60, 3
"""Characters of what is called an item, and words of one on average."""
_DISTINCT, _SHARED = 0.95, 0.3
"""Shares of baskets without an item twice, and of items that stand first and elsewhere too."""
_MARKS = (",", "\t", ";", "|", " ")
_ENDINGS = ("", ".txt", ".csv", ".tsv", ".data", ".dat", ".basket", ".baskets")
_NUMBERED = re.compile(r"(\D*?)[\s_.-]*\d+")

_LABELS = frozenset("label tag genre category class topic keyword".split())
"""What numbered columns are called that are labels and nobody's choice."""

Basket = Sequence[str]


@dataclass(frozen=True)
class Shape:
    """How lines are baskets.

    Args:
        header: the first line has numbered names, `Item 1,Item 2`.
        lead: cells before the items: none, the number of them, or whose they are.
        named: whose they are stands before them.
    """

    header: bool = False
    lead: int = 0
    named: bool = False


def basket_table(path: Path, encoding: str, asked: bool = False) -> Listed | None:
    """Such a file as a table of users and lists of items, each line a user; None for another one.

    Args:
        asked: the caller wants to learn what is chosen, so that a few lines, and words with spaces
            between, are such too.
    """
    if inner_suffix(path) not in _ENDINGS:
        return None
    for mark in _MARKS:
        try:
            sample = [row for _, row in islice(_rows(path, encoding, mark), SAMPLED)]
        except (ValueError, csv.Error):
            continue
        words = mark == " " and not asked and not all(map(str.isdigit, chain(*sample)))
        shape = None if words else shape_of(sample, asked)
        if shape:
            return Listed(path, ("user", "items"), _made(encoding, mark, shape), (_said(shape),))
    return None


def numbered_baskets(rows: Sequence[object]) -> list[dict[str, object]] | None:
    """Arrays of items as objects with a number for each, None where they are no baskets.

    >>> found = numbered_baskets([["tea", "milk"], ["milk"], ["jam", "milk", "tea"]] * 4) or []
    >>> len(found), found[1]
    (12, {'user': 2, 'items': ['milk']})
    """
    texts = [
        [str(cell) for cell in row]
        for row in rows
        if isinstance(row, list) and all(isinstance(cell, (str, int)) for cell in row)
    ]
    if len(texts) < len(rows) or shape_of(texts) != Shape():
        return None
    return [{"user": n, "items": row} for n, row in enumerate(rows, 1)]


@dataclass(frozen=True)
class OneEach(OverTable):
    """A table of lists of items alone, as of users who are called by the numbers of the rows."""

    user: str = "user"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.user, *self.table.names)

    @property
    def said(self) -> tuple[str, ...]:
        return (*self.table.said, "each row is a basket of items")

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        asked = [name for name in names if name != self.user]
        for number, (where, cells) in enumerate(self.table.rows(asked), 1):
            values = dict(zip(asked, cells, strict=True)) | {self.user: str(number)}
            yield where, tuple([values[name] for name in names])


def with_users(table: Table, items: Column) -> Table:
    """The same, with users where it has lists of items and nothing else."""
    if len(table.names) != 1 or name_fit(items, table.names[0]) <= PARTLY:
        return table
    values = [cells[0] for _, cells in islice(table.rows(table.names), SAMPLED)]
    held = profile(table.names[0], values)
    return OneEach(table) if held.mark or held.lists or held.holds is Holds.WORDS else table


def shape_of(rows: Sequence[Basket], asked: bool = False) -> Shape | None:
    """How rows of cells are baskets, None where they are none.

    >>> shape_of([["tea", "milk"], ["milk"], ["milk", "jam", "tea"], ["jam", "milk"]] * 3)
    Shape(header=False, lead=0, named=False)
    >>> shape_of([["so it is", "good"], ["so it was", "bad"]] * 6) is None
    True
    """
    header = bool(rows) and _are_numbered(rows[0])
    body = [row for row in rows[int(header) :] if row]
    if len(body) < (ASKED if asked else FEWEST):
        return None
    heads, rest = [row[0] for row in body], [row[1:] for row in body]
    items = {*chain(*rest)}
    # A name without a number may be that of a film, and what is behind it its genres.
    coded = all(re.search(r"\d", head) and len(head.split()) == 1 for head in heads)
    owners = len({*heads}) == len(heads) and not items & {*heads} and coded
    counted = all(head == str(len(row)) for head, row in zip(heads, rest, strict=True))
    numbered = all(map(str.isdigit, heads)) and all(
        int(b) == int(a) + 1 for a, b in pairwise(heads)
    )
    if (owners or counted or numbered) and _are_baskets(rest, asked):
        return Shape(header, 1, not counted)
    return Shape(header) if _are_baskets(body, asked) else None


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether names are one word and its numbers, behind some other at most."""
    found = [_NUMBERED.fullmatch(name) for name in names[1:]]
    stems = {each[1].strip().lower() for each in found if each}
    return len(found) > 1 and all(found) and len(stems) == 1 and not stems & _LABELS


def _are_baskets(rows: Sequence[Basket], asked: bool) -> bool:
    """Whether rows are of several lengths, and of few short items that may stand anywhere."""
    cells = [cell for row in rows for cell in row]
    different = {*cells}
    if len({*map(len, rows)}) < 2 or len(cells) < 1.5 * len(rows):
        return False
    if 2 * len(different) > len(cells) and not asked:
        return False
    words = sum(len(cell.split()) for cell in cells)
    if max(map(len, cells)) > LONGEST or words > MOST_WORDS * len(cells):
        return False
    several = [row for row in rows if len(row) > 1]
    apart = sum(len({*row}) == len(row) for row in several) >= _DISTINCT * len(several)
    first = {row[0] for row in several}
    shared = len(first & {*chain(*(row[1:] for row in several))}) >= _SHARED * len(first)
    return apart and shared


def _made(encoding: str, mark: str, shape: Shape) -> Callable[[Path], Iterator[PlacedRow]]:
    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, cells in islice(_rows(file, encoding, mark), int(shape.header), None):
            items = cells[shape.lead :]
            if items:
                yield f"{file} line {number}", (cells[0] if shape.named else str(number), items)

    return rows


def _said(shape: Shape) -> str:
    if shape.named:
        return "each line is a user and the items that they chose, in order"
    return "each line is a basket of items, in the order in which they were chosen"


def _rows(path: Path, encoding: str, mark: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that are not empty, with its number."""
    if mark == " ":
        for number, line in enumerate(lines(path, encoding), 1):
            if line.strip():
                yield number, line.split()
        return
    reader = quoted_rows((f"{line}\n" for line in lines(path, encoding)), Dialect(mark, True))
    for cells in reader:
        filled = [cell.strip() for cell in cells if cell.strip()]
        if filled:
            yield reader.line_num, filled
