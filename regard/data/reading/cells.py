"""Values of tables as cells: what a column's value becomes in the role that it plays."""

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from regard.data.reading.dates_written import DAY_FIRST, MILLISECONDS, seconds_of
from regard.data.reading.literals import listed
from regard.data.reading.numbers_written import MISSING, Written, number_in
from regard.data.reading.pictures import picture_in
from regard.data.reading.profile import as_text, is_missing, pieces
from regard.data.reading.unread_columns import is_span
from regard.data.schema import Cell, Column, ColumnKind

SPACED = " "
"""As a mark: spaces stand between the words of a text, each of which has its tag."""
EACH = "each"
"""As a mark: every column is one label, which a row has where it says yes."""
_YES = frozenset("1 1.0 true yes y t x ✓ ✔ ☑".split())


@dataclass(frozen=True)
class Bound:
    """The columns of the data that play a role, none for one that is missing; how they are read.

    Args:
        columns: several of texts are joined by line feeds.
        mark: what stands between the values of a list that is written in one cell, `[` for a list
            as Python or JSON spells it, `SPACED` for words and their tags, `EACH` for a column of
            yes and no for each value.
        first: what dates begin with, the day or the month, where both are numbers.
        unknown: what a label says where there is none.
        written: how numbers are written, with a unit or with commas between thousands.
    """

    columns: tuple[str, ...] = ()
    mark: str = ""
    first: str = DAY_FIRST
    unknown: tuple[str, ...] = ()
    written: Written = Written()

    @property
    def name(self) -> str:
        """The columns as a caller names them."""
        return ",".join(self.columns)


Converted = Callable[[Sequence[Any], str], Cell]
"""The values of a role's columns in a row, and where the row stands → the cell."""


def converter(role: Column, bound: Bound, folder: Path = Path()) -> Converted:
    """What makes a cell of the values of this role's columns.

    Args:
        folder: that relative paths of pictures count from.

    It raises `ValueError` for values that such a column cannot hold.

    >>> label = converter(Column("label", kind=ColumnKind.LABEL), Bound(("stars",)))
    >>> label([4.0], "x"), label([" so  so "], "x"), label([None], "x")
    ('4', ' so  so ', '')
    """
    if not bound.columns:
        return lambda values, where: role.empty
    if role.kind is ColumnKind.IMAGE:
        return _image(bound, folder)
    kinds: dict[ColumnKind, Callable[[Column, Bound], Converted]] = {
        ColumnKind.TEXT: _texts,
        ColumnKind.LABEL: _label,
        ColumnKind.LIST: _list,
        ColumnKind.FLOAT: _float,
        ColumnKind.TIME: _time,
        ColumnKind.NUMBER: _number,
        ColumnKind.BYTES: _bytes,
        ColumnKind.NAME: _texts,
    }
    return kinds[role.kind](role, bound)


def _texts(role: Column, bound: Bound) -> Converted:
    names = bound.columns

    def several(values: Sequence[Any], where: str) -> Cell:
        found = [_text(v, where, n) for v, n in zip(values, names, strict=True)]
        return "\n".join(text for text in found if text.strip())

    def one(values: Sequence[Any], where: str) -> Cell:
        return _text(values[0], where, names[0])

    return one if len(names) == 1 else several


def _text(value: Any, where: str, name: str) -> str:
    if isinstance(value, str):
        return checked_text(value, where, name)
    if is_missing(value):
        return ""
    if isinstance(value, (list, tuple)):
        return " ".join(_text(each, where, name) for each in value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = as_text(value)
    if text:
        return text
    if isinstance(value, (bool, int, float, Decimal, timedelta)):
        return str(value)
    raise ValueError(f"{where}: {name!r} must be text, it is {_kind(value)}")


def checked_text(text: str, where: str, name: str) -> str:
    """The text; raises `ValueError` for a NUL character and for half a character."""
    if "\0" in text:
        raise ValueError(f"{where}: {name!r} holds a NUL character")
    # Half a pair of UTF-16, which JSON lets through and no encoding does.
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"{where}: {name!r} holds half a character (a lone surrogate)")
    return text


def label_text(value: Any, where: str, name: str) -> str:
    """A label without outer and double spaces, composed, a whole number without its point."""
    text = " ".join(_text(value, where, name).split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if text[-2:] == ".0" and text[:-2].lstrip("-").isdigit():
        text = text[:-2]
    return text


def _label(role: Column, bound: Bound) -> Converted:
    name = bound.name

    def convert(values: Sequence[Any], where: str) -> Cell:
        value = values[0]
        if isinstance(value, (list, tuple)):
            if value and all(map(is_span, value)):
                raise ValueError(
                    f"{where}: {name!r} holds spans of characters, such as {list(value[0])}, which "
                    "are not read; write a word and its tag on each line (CoNLL)"
                )
            if len(value) > 1:
                raise ValueError(
                    f"{where}: {name!r} holds {len(value)} labels, and {role.name} is one; say "
                    "task=multilabel (--task) to learn several at once"
                )
            value = value[0] if value else None
            if isinstance(value, (list, tuple)):  # lists within lists
                return convert([value], where)
        # In its own spelling: those of one label are made one when all are known.
        text = _text(value, where, name)
        return "" if text.strip() in bound.unknown else text

    return convert


def _list(role: Column, bound: Bound) -> Converted:
    names, mark = bound.columns, bound.mark

    def flags(values: Sequence[Any], where: str) -> Cell:
        said = zip(values, names, strict=True)
        return "\t".join(n for v, n in said if _text(v, where, n).strip().lower() in _YES)

    def convert(values: Sequence[Any], where: str) -> Cell:
        value = values[0]
        if isinstance(value, str):
            value = split_cell(value, mark)
        found = [] if is_missing(value) else value
        if not isinstance(found, (list, tuple)):
            found = [found]
        texts = [label_text(each, where, names[0]).replace("\t", " ") for each in found]
        return "\t".join(text for text in texts if text)

    return flags if mark == EACH else convert


def split_cell(text: str, mark: str) -> list[Any]:
    """The values of a list that is written in one cell, by what stands between them.

    >>> split_cell("i3 i17", SPACED), split_cell("a|b", "|"), split_cell("[1, 2]", "[")
    (['i3', 'i17'], ['a', 'b'], [1, 2])
    """
    if mark == "[":
        found = listed(text)
        return [text] if found is None else found
    return text.split() if mark in ("", SPACED) else pieces(text, mark)


def _float(role: Column, bound: Bound) -> Converted:
    name = bound.name

    def convert(values: Sequence[Any], where: str) -> Cell:
        value = values[0]
        if is_missing(value) or (isinstance(value, str) and value.strip().lower() in MISSING):
            return math.nan
        if isinstance(value, (int, float, Decimal)):
            number = float(value) if abs(float(value)) < 1e300 else math.nan
        else:
            found = bound.written.number(value) if isinstance(value, str) else None
            number = math.nan if found is None else found
        if not math.isfinite(number):
            shown = repr(value) if isinstance(value, (str, float)) else _kind(value)
            raise ValueError(
                f"{where}: {name!r} must be a number, such as 4 or 4.5; it is {shown[:40]}"
            )
        return number

    return convert


def _number(role: Column, bound: Bound) -> Converted:
    name = bound.name

    def convert(values: Sequence[Any], where: str) -> Cell:
        text = _plain(values[0], where, name)
        found = number_in(text)
        return text if found is None or "," not in text else repr(found)

    return convert


def _time(role: Column, bound: Bound) -> Converted:
    name = bound.name

    def convert(values: Sequence[Any], where: str) -> Cell:
        text = _plain(values[0], where, name).strip()
        number = number_in(text)
        if number is not None:
            return repr(number / 1000) if MILLISECONDS <= abs(number) < 1e18 else text
        seconds = seconds_of(text, bound.first)
        # A date by ISO 8601 is one already, but for a zone that stands apart.
        plain = text[:4].isdigit() and text[4:5] == "-" and " " not in text[11:]
        return text if seconds is None or plain else repr(seconds)

    return convert


def _bytes(role: Column, bound: Bound) -> Converted:
    name = bound.name

    def convert(values: Sequence[Any], where: str) -> Cell:
        value = values[0]
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None and role.optional:
            return b""
        if isinstance(value, bytes):
            return value
        raise ValueError(
            f"{where}: {name!r} must be bytes, as .parquet files hold; it is {_kind(value)}"
        )

    return convert


def _image(bound: Bound, folder: Path) -> Converted:
    return lambda values, where: picture_in(values[0], where, bound.name, folder)


def _plain(value: Any, where: str, name: str) -> str:
    return repr(value) if isinstance(value, float) else _text(value, where, name)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
