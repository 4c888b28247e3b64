"""Values of objects and tables as texts."""

from datetime import date
from typing import Any

from regard.data.reading.columns import NUMBERS


def flattened(entry: dict[str, Any]) -> dict[str, Any]:
    """An object whose objects' keys became keys of its own, `translation.en`."""
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": deep for inner, deep in value.items()})
        else:
            flat[key] = value
    return flat


def as_text(value: Any, where: str) -> str:
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


def cell(value: Any, where: str, column: str, optional: bool = False) -> str:
    """A value as text; numbers with a point and dates where they may stand."""
    if value is None and optional:
        return ""
    if isinstance(value, float) and column.lower() in NUMBERS:
        return repr(value)
    if isinstance(value, date) and column.lower() in NUMBERS:
        return value.isoformat()
    return as_text(value, where)


def columns_of(entry: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a flat object that hold texts, whole numbers, and other numbers where they may.

    >>> columns_of({"item": 7, "rating": 4.5, "price": 9.99, "tags": ["new"]})
    ('item', 'rating')
    """
    return tuple(
        key
        for key, value in entry.items()
        if isinstance(value, (str, int))
        or (isinstance(value, (float, date)) and key.lower() in NUMBERS)
    )
