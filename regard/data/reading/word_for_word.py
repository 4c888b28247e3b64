"""Answers that stand in their passages word for word, as those do that are to be found there."""

from collections.abc import Sequence

from regard.data.reading.cells import Bound
from regard.data.reading.fits import PARTLY, name_fit
from regard.data.reading.profile import is_missing
from regard.data.reading.readings import Columns
from regard.data.schema import Column, Schema

MOST, HALF = 0.9, 0.5
"""Shares of the answers that stand there: from which on all are meant to, below which none is."""
POINTS = 2.0
"""What it counts."""


def word_for_word(schema: Schema, bounds: Sequence[Bound], columns: Columns) -> float:
    """What speaks for a reading, or against it, because of where the answers stand: 0 for neither.

    For it only where the passages are called such: what is asked about a story is told in it too.
    """
    places = {role.name: place for place, role in enumerate(schema.columns)}
    points = 0.0
    for place, role in enumerate(schema.columns):
        if not role.within or place >= len(bounds):
            continue
        whole = places[role.within]
        if len(bounds[place].columns) != 1 or len(bounds[whole].columns) != 1:
            continue
        inside, outside = bounds[place].columns[0], bounds[whole].columns[0]
        share = _share(columns, inside, outside)
        if share is not None and share < HALF:
            points -= POINTS
        elif share is not None and share >= MOST and name_fit(schema.columns[whole], outside):
            points += POINTS
    return points


def stands_within(schema: Schema, role: Column, name: str, columns: Columns) -> bool:
    """Whether the values of a column stand in that of the role's passages, which is called so."""
    whole = next((each for each in schema.columns if each.name == role.within), None)
    if whole is None:
        return False
    passages = [other for other in columns.values if name_fit(whole, other) > PARTLY]
    shares = [_share(columns, name, other) or 0.0 for other in passages if other != name]
    return any(share >= MOST for share in shares)


def _share(columns: Columns, inside: str, outside: str) -> float | None:
    both = zip(columns.values[inside], columns.values[outside], strict=True)
    found = [str(one).strip() in str(other) for one, other in both if not is_missing(one)]
    return sum(found) / len(found) if found else None
