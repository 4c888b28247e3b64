"""Names, numbers and times as they are spelled in a cell: read, or refused where they stand."""

import math
from datetime import UTC, datetime

MAX_NAME = 10_000
"""Characters of the name of a user or item."""


def require_name(text: str, role: str, where: str) -> None:
    """Raise `ValueError` for an empty name, or one of more than 10 000 characters."""
    if not text.strip():
        raise ValueError(f"{where}: the {role} is empty")
    if len(text) > MAX_NAME:
        raise ValueError(
            f"{where}: the name of the {role} has {len(text):,} characters, {MAX_NAME:,} at most "
            "can be read"
        )


def parse_number(text: str, role: str, where: str) -> float:
    """A number; raises `ValueError` for anything else, infinity too.

    >>> parse_number("4.5", "rating", "ratings.csv line 2")
    4.5
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{where}: the {role} {text!r} is not a number, such as 4 or 4.5")
    return number


def parse_time(text: str, role: str, where: str) -> float:
    """A time in seconds: a number as it is, a date or time by ISO 8601 (UTC unless it says else).

    Raises `ValueError` for anything else.

    >>> parse_time("978300760", "timestamp", "x"), parse_time("1970-01-02", "timestamp", "x")
    (978300760.0, 86400.0)
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_of_date(text)
    if not math.isfinite(seconds):
        raise ValueError(
            f"{where}: the {role} {text!r} is neither a number of seconds nor a date such as "
            "2026-03-03 or 2026-03-03T12:00:00"
        )
    return seconds


def _seconds_of_date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
