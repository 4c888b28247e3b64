"""The first sheet of an Excel workbook (`.xlsx`) that has rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.header import has_header
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.tables import PlacedRow

SAMPLED = 200


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows as long as they are not all empty."""

    path: Path
    sheet: str
    names: tuple[str, ...]
    header: bool
    said: tuple[str, ...] = ()

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        places = [self.names.index(name) for name in names]
        for where, cells in islice(_rows(self.path, self.sheet), int(self.header), None):
            yield where, tuple(cells[n] if n < len(cells) else None for n in places)


def excel(path: Path, lexicon: Lexicon, asked: Sequence[str] = ()) -> Sheet:
    """Such a file; raises `ValueError` for one without a row, `ImportError` without the extra."""
    sheets = _sheets(path)
    filled = [name for name in sheets if next(_rows(path, name), None)]
    if not filled:
        raise ValueError(f"{path} has no row in any of its sheets: {', '.join(sheets)}")
    sample = [cells for _, cells in islice(_rows(path, filled[0]), SAMPLED)]
    first = tuple("" if cell is None else str(cell).strip() for cell in sample[0])
    body = [["" if cell is None else str(cell) for cell in row] for row in sample[1:]]
    header = has_header(first, body, lexicon, asked)
    names = tuple((name if header else "") or str(n + 1) for n, name in enumerate(first))
    if len(set(names)) < len(names):
        raise ValueError(f"{path} row 1: two columns have one name: {', '.join(names)}")
    said = (f"the sheet {filled[0]!r} of {', '.join(filled)}",) if len(filled) > 1 else ()
    return Sheet(path, filled[0], names, header, said)


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
