"""Ratings and times in interaction files: text that has to be a number, or is refused."""

import math
from datetime import UTC, datetime

LONGEST_NAME = 10_000
"""Characters of the name of a user or item."""


def require_interaction(row: tuple[str, ...], timed: bool, where: str) -> None:
    """Check the texts of `(user, item, rating, timestamp, ...)`; the rating may be empty.

    Raises `ValueError` for the names, as `require_names`, for a rating that is no number, and where
    the interactions are `timed`, for a time that cannot be read.
    """
    user, item, rating, timestamp = row[:4]
    require_names(user, item, where)
    if rating.strip():
        rating_of(rating, where)
    if timed:
        seconds_of(timestamp, where)


def require_names(user: str, item: str, where: str) -> None:
    """Raise `ValueError` for an empty user or item, or one of more than 10 000 characters."""
    for role, name in (("user", user), ("item", item)):
        if not name.strip():
            raise ValueError(f"{where}: the {role} is empty")
        if len(name) > LONGEST_NAME:
            raise ValueError(
                f"{where}: the name of the {role} has {len(name):,} characters, "
                f"{LONGEST_NAME:,} at most can be read"
            )


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
