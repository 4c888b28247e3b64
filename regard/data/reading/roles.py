"""Which columns of a table play which role, and so, what the table is read as."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

from regard.data.reading.cells import Bound
from regard.data.reading.fits import PARTLY, name_fit
from regard.data.reading.languages import is_language
from regard.data.reading.lexicon import suggestion
from regard.data.reading.likely import suits
from regard.data.reading.multiple_choice import multiple_choice
from regard.data.reading.profile import Holds, Profile, profile
from regard.data.reading.reading_words import nothing_fits, remarks, which_of
from regard.data.reading.readings import TELLING, Columns, Reading, is_own
from regard.data.reading.request import DataRequest
from regard.data.reading.role_choices import ASKED, as_they_stand, choices_of, without_extra
from regard.data.reading.spaced_tags import are_spaced_tags
from regard.data.reading.tables import Table, called
from regard.data.reading.unread_columns import unread
from regard.data.reading.unread_media import unread_media
from regard.data.reading.word_for_word import word_for_word
from regard.data.schema import ColumnKind, Schema

PEEKED = 1000
"""Rows whose values tell what a table is."""
MARGIN = 1.0
"""By how much one reading must be better than another to be taken without asking."""
OFFERED = 4
"""Readings that the caller may choose from."""
OPTIONAL = 0.25
"""What a role that may be missing counts."""
ALTERNATIVES = 24
"""Readings of one task that are looked at."""

_OF_WORDS = (Holds.TEXT, Holds.LABEL, Holds.NAME)
"""What cells are that may hold several labels with spaces between."""


class SeveralReadingsError(ValueError):
    """The question which of several readings is meant."""


def choose(table: Table, where: str, request: DataRequest) -> Reading:
    """What a table is read as.

    Decided by what the caller said, by what columns are called and by what they hold.

    Raises `ValueError` when a name is not there, when nothing fits, and, with examples, when
    several readings are as likely.
    """
    columns = _columns(table, where, request)
    if not any(columns.values.values()):
        raise ValueError(
            f"{where} has no row below the names of its columns, {', '.join(table.names)}"
        )
    found = [
        reading
        for schema in _asked_for(columns, request)
        for reading in _readings(schema, columns, request)
    ]
    found.sort(key=lambda reading: -reading.score)
    best = found[0] if found else None
    options = "" if columns.asked else multiple_choice(columns.values)
    options = options or ("" if columns.asked else unread_media(columns.values))
    if options:
        raise ValueError(f"{where} {options}")
    held, why = ((), "") if columns.asked else unread(columns.values)
    if held and (best is None or best.schema.running_text or {*held} & {*best.columns}):
        raise ValueError(f"{where} {why}")
    if best is None:
        raise ValueError(f"{where} has {nothing_fits(columns, request)}")
    rivals = [each for each in found[1:] if each.score > best.score - MARGIN]
    if rivals:
        raise SeveralReadingsError(which_of(where, [best, *rivals][:OFFERED], columns))
    return replace(best, notes=(*best.notes, *remarks(best, columns)))


def _columns(table: Table, where: str, request: DataRequest) -> Columns:
    rows = [cells for _, cells in islice(table.rows(table.names), PEEKED)]
    values = {name: [row[n] for row in rows] for n, name in enumerate(table.names)}
    optional = {c.asked for schema in request.candidates for c in schema.columns if c.optional}
    profiles = tuple(profile(name, values[name]) for name in table.names)
    asked = {
        option: _resolved(option, text, table.names, where)
        for option, text in request.asked
        if not (request.as_trained and option in optional and called(text, table.names) is None)
    }
    texts = [c for s in request.schemas for c in s.required if c.kind is ColumnKind.TEXT]
    spaced = (
        each.name
        for each in profiles
        if each.holds in _OF_WORDS
        and not is_language(each.name)
        and not any(name_fit(role, each.name) > PARTLY for role in texts)
        and are_spaced_tags(values[each.name])
    )
    roles = [role for schema in request.schemas for role in schema.columns]
    known = (name for name in values if any(name_fit(role, name) > PARTLY for role in roles))
    return Columns(where, values, profiles, asked, frozenset(spaced), frozenset(known))


def _resolved(option: str, text: str, names: Sequence[str], where: str) -> tuple[str, ...]:
    """The columns that a caller named, one or several with commas between."""
    whole = called(text, names)
    found = []
    for part in [text] if whole else text.split(","):
        name = called(part.strip(), names)
        if name is None and part.strip().isdigit() and 0 < int(part[:9]) <= len(names):
            name = names[int(part) - 1]
        if name is None:
            hint = suggestion(part.strip(), names)
            raise ValueError(f"{where} has no column {part.strip()!r} ({option}); {hint}")
        found.append(name)
    return tuple(found)


def _asked_for(columns: Columns, request: DataRequest) -> Iterator[Schema]:
    """The tasks that have a role for every column that the caller named."""
    for schema in request.candidates:
        options = {column.asked for column in schema.columns}
        if len(schema.required) == 2:
            options |= {"source", "target"}
        if set(columns.asked) <= options:
            yield schema


def _readings(schema: Schema, columns: Columns, request: DataRequest) -> Iterator[Reading]:
    """The ways in which the columns can play the roles of a task."""
    if request.task and columns.unnamed and not columns.asked:
        plain = as_they_stand(schema, columns)
        if plain:
            yield Reading(schema, plain, ASKED * len(plain))
            return
    choices = choices_of(schema, columns, request)
    if choices is None:
        return
    seen = set[tuple[Bound, ...]]()
    for picked in islice(product(*choices), 4 * ALTERNATIVES):
        bounds = tuple(bound for bound, _ in picked)
        used = [name for bound in bounds for name in bound.columns]
        if len(set(used)) < len(used) or bounds in seen:
            continue
        seen.add(bounds)
        weights = [
            OPTIONAL if role.optional and not role.telling else 1.0 for role in schema.columns
        ]
        score = sum(w * points for w, (_, points) in zip(weights, picked, strict=True))
        left = [each for each in columns.profiles if each.name not in used]
        if suits(schema, bounds, columns, left, request):
            score += word_for_word(schema, bounds, columns) - _lost(left)
            yield Reading(schema, without_extra(schema, bounds), score)
        if len(seen) >= ALTERNATIVES:
            return


def _lost(left: Iterable[Profile]) -> float:
    """What it costs to leave columns out that hold something, whole texts most of all."""
    telling = [each for each in left if each.holds in TELLING and not is_own(each)]
    counts = [each for each in left if each.holds is Holds.WHOLE and each.few]
    return sum((3.0 if each.holds is Holds.TEXT else 0.5 for each in [*telling, *counts]), 0.0)
