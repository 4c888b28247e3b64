"""What a caller asks of decoding, checked before anything is computed."""

import math
import operator
from collections.abc import Sequence
from typing import Any

from regard._printable import shown

MOST_BEAMS = 2**16


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """The whole number that `value` is; NumPy's and tensors of one will do, booleans will not.

    Raises `TypeError` for anything else, `ValueError` for one out of bounds.

    >>> whole("beams", 4, least=1)
    4
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {shown(value)}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {most}, got {number}")
    return number


def penalty(value: Any) -> float | None:
    """A length penalty; raises as `whole` for anything but a finite number from 0, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"length_penalty must be a number or None, got {shown(value)}")
    if value < 0.0:
        raise ValueError(f"length_penalty must not be negative, got {value}")
    if not math.isfinite(value):
        raise ValueError(f"length_penalty must be finite, got {value}")
    return float(value)


def stops(value: Any) -> tuple[str, ...]:
    """Stop strings; raises `TypeError` unless they are texts, `ValueError` for an empty one."""
    if isinstance(value, str):
        raise TypeError(f"stop must be several strings, got {shown(value)}: give [{value!r}]")
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"stop must be several strings, got {shown(value)}")
    if "" in value:
        raise ValueError("a stop string must have at least one character, got none")
    return tuple(value)


def seeds(value: Any, rows: int) -> tuple[int, ...]:
    """A seed for each of these rows, of one for all or one for each; raises as `whole`.

    >>> seeds(1, rows=2)
    (1, 1)
    """
    several = isinstance(value, Sequence) and not isinstance(value, str)
    found = tuple(
        whole("seed", each, -(2**63), 2**64 - 1) for each in (value if several else (value,))
    )
    if several and len(found) != rows:
        raise ValueError(f"there are {rows} texts but {len(found)} seeds: give one for each")
    return found if several else found * rows
