"""Who chose what, and when: the columns of interaction files, and RecBole's `.inter` format."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from regard.data.lines import lines

NAMES = {
    "user": "user user_id userid uid customer customer_id reviewerid".split(),
    "item": "item item_id itemid iid movie movie_id movieid product product_id asin".split(),
    "rating": "rating score stars overall".split(),
    "timestamp": "timestamp time date unixreviewtime".split(),
}
"""Role → what people call such a column; a name counts in any case."""
NEEDED = ("user", "item")
RECBOLE_TYPES = ("token", "token_seq", "float", "float_seq")


def roles(names: Sequence[str], where: str) -> dict[str, str]:
    """Role → the column that has it; rating and timestamp may be missing.

    Raises `ValueError`, with the columns there are, when user or item is missing or a role is
    claimed by two columns.

    >>> roles(("userId", "movieId", "rating", "genres"), "ratings.csv")
    {'user': 'userId', 'item': 'movieId', 'rating': 'rating'}
    """
    found = {}
    for role, known in NAMES.items():
        claims = [name for name in names if name.strip().lower() in known]
        if len(claims) > 1:
            raise ValueError(
                f"{where}: {' and '.join(claims)} could both be the {role}; rename one of them"
            )
        if claims:
            found[role] = claims[0]
    for role in NEEDED:
        if role not in found:
            raise ValueError(
                f"{where} has columns {', '.join(names)} and none for the {role}; call it {role}"
            )
    return found


def recbole_header(cells: Sequence[str]) -> tuple[str, ...] | None:
    """The columns' names in the first row of a `.inter` or `.item` file; None for another row.

    >>> recbole_header(["user_id:token", "item_id:token", "rating:float", "timestamp:float"])
    ('user_id', 'item_id', 'rating', 'timestamp')
    >>> recbole_header(["user", "item"])
    """
    pairs = [cell.strip().rpartition(":") for cell in cells]
    if not all(name and kind in RECBOLE_TYPES for name, _, kind in pairs):
        return None
    return tuple(name for name, _, _ in pairs)


@dataclass(frozen=True)
class RecBole:
    """A table whose first line gives each column's name and type, `user_id:token`, tabs between."""

    path: Path
    encoding: str
    names: tuple[str, ...]

    def rows(self, columns: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """These columns, row by row: where it stands and its texts.

        Raises `ValueError` naming file and line for a row that is not as wide as the first.
        """
        places = [self.names.index(column) for column in columns]
        for number, line in enumerate(lines(self.path, self.encoding), 1):
            if number == 1 or not line.strip():
                continue
            cells = line.split("\t")
            if len(cells) != len(self.names):
                raise ValueError(
                    f"{self.path} line {number}: {len(cells)} columns, where the first line has "
                    f"{len(self.names)} ({', '.join(self.names)})"
                )
            yield f"{self.path} line {number}", tuple(cells[place] for place in places)


def recbole(path: Path, encoding: str = "utf-8") -> RecBole:
    """Such a file; raises `ValueError` when its first line does not name columns with types."""
    first = next(lines(path, encoding), "")
    names = recbole_header(first.split("\t"))
    if names is None:
        raise ValueError(
            f"{path} line 1: {first[:80]!r} does not name columns with their types; a RecBole file "
            "begins with user_id:token, item_id:token, rating:float ..., tabs between them"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path} line 1: two columns have one name: {', '.join(names)}")
    return RecBole(path, encoding, names)


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
