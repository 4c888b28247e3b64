"""Values of objects and tables as the cells of a column."""

import math
from datetime import date
from typing import Any

from regard.data.reading.lexicon import Lexicon
from regard.data.schema import Cell, Column, ColumnKind


def flattened(entry: dict[str, Any]) -> dict[str, Any]:
    """An object whose objects' keys became keys of its own, `translation.en`."""
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": deep for inner, deep in value.items()})
        else:
            flat[key] = value
    return flat


def text_cell(value: Any, where: str) -> str:
    """A value that a text or a label may be; raises `ValueError` for any other."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"{where} holds a NUL character")
        # Half a pair of UTF-16, which JSON lets through and no encoding does.
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{where} holds half a character (a lone surrogate)")
        return value
    if isinstance(value, (bool, int)):
        return str(value)
    kind = "null" if value is None else type(value).__name__
    raise ValueError(f"{where} must be text or a whole number, it is {kind}")


def cell(value: Any, where: str, name: str, role: Column, lexicon: Lexicon) -> Cell:
    """A value of the column `name` in the role it plays.

    Raises `ValueError` for a value that such a column cannot hold.

    >>> known = Lexicon.of([])
    >>> cell(None, "x", "note", Column("note", optional=True), known)
    ''
    >>> cell("2.5", "x", "area", Column("area", kind=ColumnKind.FLOAT), known)
    2.5
    """
    if value is None and role.optional:
        return role.empty
    if role.kind is ColumnKind.FLOAT:
        return _as_float(value, where, role)
    if role.kind is ColumnKind.BYTES:
        if isinstance(value, bytes):
            return value
        raise ValueError(f"{where} must be bytes, as .parquet files hold; it is {_kind(value)}")
    if isinstance(value, (float, date)) and name.lower() in lexicon.numbers:
        return repr(value) if isinstance(value, float) else value.isoformat()
    return text_cell(value, where)


def columns_of(entry: dict[str, Any], lexicon: Lexicon) -> tuple[str, ...]:
    """The keys of a flat object that hold texts, whole numbers, and what else they may.

    >>> from regard.data.schema import Schema
    >>> prices = Lexicon.of([Schema("rate", (Column("price", kind=ColumnKind.NUMBER),))])
    >>> columns_of({"item": 7, "price": 4.5, "weight": 9.99, "tags": ["new"]}, prices)
    ('item', 'price')
    """
    return tuple(
        key
        for key, value in entry.items()
        if isinstance(value, (str, int))
        or (isinstance(value, (float, date)) and key.lower() in lexicon.numbers)
        or (isinstance(value, bytes) and key.lower() in lexicon.binary)
    )


def _as_float(value: Any, where: str, role: Column) -> float:
    if role.optional and value == "":
        return math.nan
    try:
        number = math.nan if isinstance(value, bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        shown = repr(value) if isinstance(value, (str, float)) else _kind(value)
        raise ValueError(f"{where} must be a number, such as 4 or 4.5; it is {shown[:40]}")
    return number


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
