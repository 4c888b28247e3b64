"""What a row of a table must be, by the kinds of its columns."""

import math
from dataclasses import dataclass, field

from regard.data.reading.spelled import parse_number, parse_time, require_name
from regard.data.schema import Cell, ColumnKind, Schema

_LEFT_OUT = (
    *(ColumnKind.TEXT, ColumnKind.LABEL, ColumnKind.BYTES, ColumnKind.IMAGE),
    ColumnKind.FLOAT,
)
"""Kinds of column whose empty cells leave out the row, rather than being refused."""
_SPELLED = (ColumnKind.NAME, ColumnKind.NUMBER, ColumnKind.TIME)
"""Kinds whose cells are read one by one."""


@dataclass
class RowCheck:
    """Looks at the rows of a file, one after the other.

    Where a time may be missing, the first row decides: either all rows have one that can be read,
    or none has one.

    >>> from regard.data.schema import Column
    >>> check = RowCheck(Schema("pair", (Column("one"), Column("two"))))
    >>> check.usable(("a", "b"), "line 1"), check.usable(("a", " "), "line 2")
    (True, False)
    """

    schema: Schema
    late: int = field(default=0, init=False)
    """Rows whose time is before that of the row above."""
    _timed: dict[int, bool] = field(default_factory=dict, init=False)
    _last: float = field(default=-math.inf, init=False)

    def __post_init__(self) -> None:
        columns = list(enumerate(self.schema.columns))
        needed = [(n, c) for n, c in columns if not (c.optional or c.blank)]
        self._wanted = [n for n, c in needed if c.kind in _LEFT_OUT]
        self._spelled = [(n, c) for n, c in columns if c.kind in _SPELLED]

    def usable(self, row: tuple[Cell, ...], where: str) -> bool:
        """Whether all that must be there is there.

        Raises `ValueError` for a name, number or time that cannot be read, and for a time where
        the first row has none.
        """
        for place, column in self._spelled:
            text = str(row[place])
            if column.kind is ColumnKind.NAME:
                if text.strip() or not column.optional:
                    require_name(text, column.name, where)
            elif column.kind is ColumnKind.NUMBER:
                if text.strip() or not column.optional:
                    parse_number(text, column.name, where)
            elif self._timed.setdefault(place, bool(text.strip()) or not column.optional):
                seconds = parse_time(text, column.name, where)
                self.late += seconds < self._last
                self._last = seconds
            elif text.strip():
                raise ValueError(
                    f"{where}: {column.name} is {text!r}, and the first row has none; give every "
                    "row a time, or none"
                )
        for place in self._wanted:
            if not _filled(row[place]):
                return False
        return True

    def lacking(self, row: tuple[Cell, ...]) -> str:
        """What is said of a row that is not usable."""
        missing = next(n for n in self._wanted if not _filled(row[n]))
        return rows_without(self.schema.columns[missing].name)


def rows_without(name: str) -> str:
    """What is counted of rows that lack what must be there.

    >>> rows_without("label"), rows_without("image")
    ('rows without a label left out', 'rows without an image left out')
    """
    return f"rows without {'an' if name[0] in 'aeiou' else 'a'} {name} left out"


def _filled(cell: Cell) -> bool:
    if isinstance(cell, str):
        return bool(cell.strip())
    return bool(cell) if isinstance(cell, bytes) else not math.isnan(cell)
