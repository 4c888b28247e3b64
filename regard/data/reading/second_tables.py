"""Another table below the first one, with an empty row between, as sheets of people have."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from regard.data.reading.header import FEW, TYPED, has_header
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.profile import profile

LOOKED_AT = 2000
"""Rows among which another table is looked for."""
_PLAIN = Lexicon.of(())

Cells = Sequence[str]


def second_table(rows: Sequence[Cells]) -> int | None:
    """The row, from 1, at which another table begins, None where none does.

    Args:
        rows: the first ones, those without a filled cell too.

    >>> one = [["text", "label"], *[["so it is", "good"], ["so it was", "bad"]] * 4]
    >>> two = [["author", "year"], *[[f"a{n}", str(1990 + n)] for n in range(5)]]
    >>> second_table([*one, [], *two]), second_table([*one, [], *one[1:]])
    (11, None)
    """
    placed = enumerate(rows, 1)
    blocks = [list(some) for there, some in groupby(placed, lambda row: _there(row[1])) if there]
    names = next((row for block in blocks for _, row in block if _count(row) > 1), ())
    above: list[Cells] = []
    for number, block in enumerate(blocks):
        (place, first), body = block[0], [row for _, row in block[1:]]
        known = {(n, cell) for row in above for n, cell in enumerate(row) if cell}
        new = not any((n, cell) in known for n, cell in enumerate(first))
        several = len(above) > FEW and len(body) >= FEW and _count(first) > 1
        if number and several and new and [*first] != [*names]:
            other = _count(first) != _count(names) or _are_typed(first, body)
            if other and _is_header(first, body):
                return place
        above += [row for _, row in block]
    return None


def another_table(path: Path, row: int) -> str:
    """What is wrong with a file in which another table begins at this row."""
    return (
        f"{path} row {row}: another table begins here, below an empty row; keep one table in a "
        "file or sheet, or leave out the empty row if this is one of the rows above"
    )


def _is_header(first: Cells, body: Sequence[Cells]) -> bool:
    cells = [cell.strip() for cell in first]
    last = max((n for n, cell in enumerate(cells) if cell), default=-1)
    rows = [[*row[: last + 1]] for row in body]
    return has_header(cells[: last + 1], rows, _PLAIN)


def _are_typed(first: Cells, body: Sequence[Cells]) -> bool:
    """Whether numbers, times or flags stand below a word: shorter texts alone are no names."""
    return any(
        profile("", [row[n] for row in body if len(row) > n]).holds in TYPED
        and profile("", [cell]).holds not in TYPED
        for n, cell in enumerate(first)
        if cell.strip()
    )


def _there(row: Cells) -> bool:
    return any(cell.strip() for cell in row)


def _count(row: Cells) -> int:
    return sum(bool(cell.strip()) for cell in row)
