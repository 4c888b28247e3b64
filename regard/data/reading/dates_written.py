"""Dates and times as people write them: ISO 8601, with the day first or the month first."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_CLOCK = r"(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?)(?:\s?([AaPp])\.?[Mm]\.?)?)?"
_PARTS = re.compile(rf"(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_CLOCK}")
_YEAR_FIRST = re.compile(rf"(\d{{4}})[./](\d{{1,2}})[./](\d{{1,2}}){_CLOCK}")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAMED = (
    re.compile(
        rf"(?P<day>\d{{1,2}})[. -]+(?P<month>[A-Za-z]{{3,9}})[., -]+(?P<year>\d{{4}}){_CLOCK}"
    ),
    re.compile(rf"(?P<month>[A-Za-z]{{3,9}})\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_CLOCK}"),
    re.compile(rf"(?P<month>\d{{2}}) (?P<day>\d{{1,2}}), (?P<year>\d{{4}}){_CLOCK}"),
)
"""Dates with the English name of the month, `5 March 2011` and `Sep 5, 2013`, or `09 5, 2013`."""
_ZONE = re.compile(r"(.*[\dMm.]) ?(?=[GU+-])(?:GMT|UTC)?(?:([+-])(\d{1,2}):?(\d{2})?)?")
"""How far a clock is ahead, behind the time: `3:00 PM GMT+2`, `10:00:00 -0800`."""
MILLISECONDS = 1e11
"""Numbers above are milliseconds since 1970: as seconds they would lie beyond the year 5000."""
DAY_FIRST, MONTH_FIRST = "day", "month"


def seconds_of(text: str, first: str = DAY_FIRST) -> float | None:
    """The seconds since 1970 that a date or time means (UTC unless it says else), None for others.

    >>> seconds_of("1970-01-02"), seconds_of("02.01.1970 00:00"), seconds_of("1/2/1970", "month")
    (86400.0, 86400.0, 86400.0)
    >>> seconds_of("Jan 2, 1970"), seconds_of("01 2, 1970"), seconds_of("1/1/1970 01:00 PM")
    (86400.0, 86400.0, 46800.0)
    >>> seconds_of("1970-01-01 10:00:00 -0100"), seconds_of("1970/1/1 3:00:00 PM GMT+2")
    (39600.0, 46800.0)
    """
    text, ahead = _without_zone(text.strip())
    found = _PARTS.fullmatch(text)
    try:
        moment = _moment(found, first) if found else _year_or_name(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - ahead


def _without_zone(text: str) -> tuple[str, float]:
    """A time of day, and by how many seconds its clock is ahead; a date has none."""
    found = _ZONE.fullmatch(text) if ":" in text else None
    if not found:
        return text, 0.0
    hours, minutes = int(found[3] or 0), int(found[4] or 0)
    return found[1], (-1 if found[2] == "-" else 1) * (hours * 3600.0 + minutes * 60)


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
    return datetime(year, month, day, *_clock(found[5], found[6]))


def _year_or_name(text: str) -> datetime:
    """A date with the year first, or with the name of its month; raises `ValueError` for others."""
    parts = _YEAR_FIRST.fullmatch(text)
    if parts:
        clock = _clock(parts[4], parts[5])
        return datetime(int(parts[1]), int(parts[2]), int(parts[3]), *clock)
    named = next((found for each in _NAMED if (found := each.fullmatch(text))), None)
    if named is None:
        return datetime.fromisoformat(text)
    spelled = named["month"]
    if spelled[:3].lower() not in _MONTHS and not spelled.isdigit():
        return datetime.fromisoformat(text)
    month = int(spelled) if spelled.isdigit() else 1 + _MONTHS.index(spelled[:3].lower())
    return datetime(int(named["year"]), month, int(named["day"]), *_clock(named[4], named[5]))


def _clock(time: str | None, half: str | None) -> tuple[int, int, int]:
    """Hour, minute and second, of a half day too."""
    hour, minute, second = [*(int(part) for part in (time or "0:0").split(":")), 0][:3]
    if half:
        hour = hour % 12 + (12 if half in "pP" else 0)
    return hour, minute, second
