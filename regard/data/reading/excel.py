"""The first sheet of an Excel workbook (`.xlsx`) that is a table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.header import above_said, has_header, rows_above, rows_below
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.second_tables import LOOKED_AT, another_table, second_table
from regard.data.reading.tables import PlacedRow

SAMPLED = 200
COVER = 2
"""Rows of two cells that the cover of a workbook may have."""


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows as long as they are not all empty."""

    path: Path
    sheet: str
    names: tuple[str, ...]
    header: bool
    said: tuple[str, ...] = ()
    above: int = 0

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        places = [self.names.index(name) for name in names]
        begin = self.above + int(self.header)
        for where, cells in islice(_rows(self.path, self.sheet), begin, None):
            yield where, tuple(cells[n] if n < len(cells) else None for n in places)


@dataclass(frozen=True)
class Sheets:
    """Sheets of the same columns one behind the other, with the name of each in one more."""

    sheets: tuple[Sheet, ...]
    name: str

    @property
    def path(self) -> Path:
        return self.sheets[0].path

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.sheets[0].names, self.name)

    @property
    def said(self) -> tuple[str, ...]:
        joined = ", ".join(each.sheet for each in self.sheets)
        return (f"the sheets {joined} one behind the other, their names in {self.name!r}",)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        asked = [name for name in names if name != self.name]
        for sheet in self.sheets:
            for where, cells in sheet.rows(asked):
                values = dict(zip(asked, cells, strict=True)) | {self.name: sheet.sheet}
                yield where, tuple([values[name] for name in names])


def excel(path: Path, lexicon: Lexicon, asked: Sequence[str] = ()) -> Sheet | Sheets:
    """Such a file; sheets of the same columns are one table.

    Raises `ValueError` for one without a row, `ImportError` without the extra.
    """
    sheets = _sheets(path)
    filled = [name for name in sheets if next(_rows(path, name), None)]
    if not filled:
        raise ValueError(f"{path} has no row in any of its sheets: {', '.join(sheets)}")
    samples = {name: _sample(path, name) for name in filled}
    tables = [name for name in filled if _is_table(samples[name])] or filled[:1]
    first = _sheet(path, tables[0], samples[tables[0]], lexicon, asked)
    others = [_sheet(path, name, samples[name], lexicon, asked) for name in tables[1:]]
    alike = [each for each in others if each.header and each.names == first.names]
    if first.header and alike:
        name = next(name for name in ("sheet", "sheet name") if name not in first.names)
        return Sheets((first, *alike), name)
    chosen = (f"the sheet {first.sheet!r} of {', '.join(filled)}",) if len(filled) > 1 else ()
    return replace(first, said=(*chosen, *first.said))


def _sheet(
    path: Path,
    sheet: str,
    sample: Sequence[tuple[str, ...]],
    lexicon: Lexicon,
    asked: Sequence[str],
) -> Sheet:
    above = rows_above(sample, lexicon, asked)
    first = tuple(cell.strip() for cell in sample[above])
    body = sample[above + 1 :]
    below, explained = rows_below(first, body)
    header = has_header(first, body[below:], lexicon, asked)
    below *= header
    names = tuple((name if header else "") or str(n + 1) for n, name in enumerate(first))
    if len(set(names)) < len(names):
        raise ValueError(
            f"{path} row {above + 1}: two columns have one name: {', '.join(names)}; call one "
            "otherwise"
        )
    with _opened(path) as book:
        raw = [
            tuple("" if cell is None else str(cell) for cell in row)
            for row in islice(book[sheet].iter_rows(values_only=True), LOOKED_AT)
        ]
    second = second_table(raw)
    if second:
        raise ValueError(another_table(path, second))
    said = (*above_said(above), *((explained,) * (below > 0)))
    return Sheet(path, sheet, names, header, said, above + below)


def _sample(path: Path, sheet: str) -> list[tuple[str, ...]]:
    rows = islice(_rows(path, sheet), SAMPLED)
    return [tuple("" if cell is None else str(cell) for cell in cells) for _, cells in rows]


def _is_table(sample: Sequence[Sequence[str]]) -> bool:
    """Whether a sheet has several columns and rows, and is no cover."""
    return sum(sum(map(bool, row)) > 1 for row in sample) > COVER


def _sheets(path: Path) -> list[str]:
    with _opened(path) as book:
        return list(book.sheetnames)


def _rows(path: Path, sheet: str) -> Iterator[PlacedRow]:
    with _opened(path) as book:
        for number, row in enumerate(book[sheet].iter_rows(values_only=True), 1):
            if any(cell is not None and str(cell).strip() for cell in row):
                yield f"{path} row {number}", tuple(_plain(cell) for cell in row)


def _plain(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime) else cell


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A workbook, closed at the end; raises `ValueError` where it, or a sheet of it, is damaged."""
    package, book = extra("openpyxl"), None
    try:
        book = package.load_workbook(path, read_only=True, data_only=True)
        yield book
    except Exception as error:  # of a zip, of XML, of its own
        raise ValueError(f"{path} is not an Excel file that can be read: {error}") from None
    finally:
        if book is not None:
            book.close()
