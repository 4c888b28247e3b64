"""Dates and times as people write them: ISO 8601, with the day first or the month first."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_PARTS = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?"
)
MILLISECONDS = 1e11
"""Numbers above are milliseconds since 1970: as seconds they would lie beyond the year 5000."""
DAY_FIRST, MONTH_FIRST = "day", "month"


def seconds_of(text: str, first: str = DAY_FIRST) -> float | None:
    """The seconds since 1970 that a date or time means (UTC unless it says else), None for others.

    >>> seconds_of("1970-01-02"), seconds_of("02.01.1970 00:00"), seconds_of("1/2/1970", "month")
    (86400.0, 86400.0, 86400.0)
    """
    text = text.strip()
    found = _PARTS.fullmatch(text)
    try:
        moment = _moment(found, first) if found else datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def which_first(texts: Sequence[str]) -> str | None:
    """Whether dates have the day or the month first, None if they could be either.

    >>> which_first(["3/4/2026", "13/4/2026"]), which_first(["3/4/2026"]), which_first(["3.4.2026"])
    ('day', None, 'day')
    """
    parts = [found for text in texts if (found := _PARTS.fullmatch(text.strip()))]
    if any(int(found[1]) > 12 for found in parts) or all(found[2] == "." for found in parts):
        return DAY_FIRST
    return MONTH_FIRST if any(int(found[3]) > 12 for found in parts) else None


def _moment(found: re.Match[str], first: str) -> datetime:
    one, two, year = int(found[1]), int(found[3]), int(found[4])
    if len(found[4]) == 2:
        year += 1900 if year >= 70 else 2000
    day, month = (one, two) if first == DAY_FIRST else (two, one)
    hour, minute, second = [*(int(part) for part in (found[5] or "0:0").split(":")), 0][:3]
    return datetime(year, month, day, hour, minute, second)
