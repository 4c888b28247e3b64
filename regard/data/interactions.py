"""Ratings and times in interaction files: text that has to be a number, or is refused."""

import math
from datetime import UTC, datetime


def rating_of(text: str, where: str) -> float:
    """A rating as a number; raises `ValueError` for anything else.

    >>> rating_of("4.5", "ratings.csv line 2")
    4.5
    """
    try:
        rating = float(text)
    except ValueError:
        rating = math.nan
    if not math.isfinite(rating):
        raise ValueError(f"{where}: the rating {text!r} is not a number, such as 4 or 4.5")
    return rating


def seconds_of(text: str, where: str) -> float:
    """A time in seconds: a number as it is, a date or time by ISO 8601 (UTC unless it says else).

    >>> seconds_of("978300760", "x"), seconds_of("1970-01-02", "x")
    (978300760.0, 86400.0)
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_of_date(text)
    if not math.isfinite(seconds):
        raise ValueError(
            f"{where}: the timestamp {text!r} is neither a number of seconds nor a date such as "
            "2026-03-03 or 2026-03-03T12:00:00"
        )
    return seconds


def _seconds_of_date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
