"""The columns that each role of a task may have: by what was said, by names, by what they hold."""

import re
from collections.abc import Mapping

from regard.data.reading.aligned import WRITTEN, same_counts
from regard.data.reading.cells import EACH, SPACED, Bound
from regard.data.reading.dates_written import DAY_FIRST, which_first
from regard.data.reading.fits import EXACT, PARTLY, fit, name_fit
from regard.data.reading.languages import language, may_be
from regard.data.reading.numbers_written import written_as
from regard.data.reading.profile import Holds, Profile, is_missing, splits_by
from regard.data.reading.readings import Columns
from regard.data.reading.request import DataRequest
from regard.data.reading.word_for_word import stands_within
from regard.data.schema import Column, ColumnKind, Schema

ASKED = 10.0
"""What a column counts that the caller named."""
SURE = 5.0
"""What columns count that can hardly be anything else, whatever they are called."""
_WORD_FOR_WORD = 2.5
"""What it counts that values stand in the texts in which a role's do."""
_SPACED = 3.5
"""What labels with spaces between count, close enough to one label to be asked about."""
_UNKNOWN_LABELS = (
    *("-", "?", "", "nan", "NaN", "n/a", "N/A", "<NA>", "NULL", "null"),
    *("#N/A", "#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"),
)
"""What says that there is no label: as SNLI, pandas, databases and Excel write it."""
_SIGNS = ("-", "?")
"""Those that are labels beside other signs, such as marks between words or `+`."""
_NA = "NA"
"""What R writes for none, which is a label beside other codes of two letters."""

Choice = tuple[Bound, float]
"""The columns of a role, and what speaks for them."""


def choices_of(schema: Schema, columns: Columns, request: DataRequest) -> list[list[Choice]] | None:
    """The columns that each role may have, None where a role that must be has none."""
    found: list[list[Choice]] = []
    pairs = _paired(schema, columns)
    for place, role in enumerate(schema.columns):
        told = _told(schema, place, columns)
        if told:
            bound = _bound(schema, role, told, columns)
            suits = _suits(schema, place, told[0], columns)
            typed = role.kind in (ColumnKind.FLOAT, ColumnKind.LIST) and not request.task
            if bound is None or (typed and not suits and bound.mark != EACH):
                return None
            found.append([(bound, ASKED + suits)])
            continue
        options = _options(schema, place, columns, pairs.get(place, {}))
        if role.optional:
            options = [*options[:1], (Bound(), 0.0)] if not options else options[:1]
            options = options or [(Bound(), 0.0)]
        if not options:
            return None
        found.append(options)
    return found


def as_they_stand(schema: Schema, columns: Columns) -> tuple[Bound, ...]:
    """Columns without names in the order of a task's roles, none where they cannot be these."""
    if not len(schema.required) <= len(columns.profiles) <= len(schema.columns):
        return ()
    found = []
    for place, column in enumerate(columns.profiles):
        role = schema.columns[place]
        bound = _bound(schema, role, (column.name,), columns)
        fits = role.kind is ColumnKind.TEXT or _suits(schema, place, column.name, columns)
        if bound is None or not fits:
            return ()
        found.append(bound)
    rest = [Bound()] * (len(schema.columns) - len(found))
    return without_extra(schema, (*found, *rest))


def _told(schema: Schema, place: int, columns: Columns) -> tuple[str, ...]:
    """The columns that the caller named for a role."""
    role = schema.columns[place]
    told = columns.asked.get(role.asked, ())
    if not told and len(schema.required) == 2 and place < 2:
        told = columns.asked.get(("source", "target")[place], ())
    return told


def _suits(schema: Schema, place: int, name: str, columns: Columns) -> float:
    """How well what a column holds suits a role of a task, 0 where it cannot be."""
    role = schema.columns[place]
    if role.kind in (ColumnKind.LABEL, ColumnKind.FLOAT) and name in columns.counters:
        return 0.5 if name_fit(role, name) > PARTLY else 0.0
    suits = fit(role, columns.profile(name))
    if role.kind in (ColumnKind.LABEL, ColumnKind.LIST) and name in columns.spaced:
        # Each combination is hardly a class of its own, and never where the name is a plural.
        plural = re.search(r"[^s]s$", name.lower())
        spaced = 0.0 if schema.aligned else _SPACED
        suits = spaced if role.kind is ColumnKind.LIST else 0.0 if plural else suits
    return suits or (3.0 if name in _aligned(schema, columns).get(place, {}) else 0.0)


def _options(
    schema: Schema, place: int, columns: Columns, pairs: Mapping[str, float]
) -> list[Choice]:
    """The columns that may play a role: those with its name, else those that hold such."""
    role, rated = schema.columns[place], []
    for column in columns.profiles:
        suits = _suits(schema, place, column.name, columns)
        if schema.item_file == role.name and column.name in columns.histories:
            suits = 2.0  # what a user chose, in one row
        by_name = max(columns.says(role, column.name), pairs.get(column.name, 0.0))
        if not by_name and stands_within(schema, role, column.name, columns):
            by_name = _WORD_FOR_WORD
        if suits:
            rated.append((by_name, suits, column.name))
    several = _one_label_each(role, columns)
    best = max((by_name for by_name, _, _ in rated), default=0.0)
    chosen: list[Choice] = []
    for by_name, suits, name in rated:
        # A name as good as the best; and where none is, whatever holds such.
        if by_name >= best - 0.0005 and (best or not (role.optional and suits < 2)):
            bound = _bound(schema, role, (name,), columns)
            if bound:
                # A name counts less where the column holds what hardly suits it.
                points = by_name - max(0.0, 1 - suits / 2) if by_name else suits
                chosen.append((bound, points))
    if several and not best:
        chosen.append((several, 3.0))
    called = tuple(name for by_name, _, name in rated if by_name > PARTLY)
    if len(called) > 1 and schema.any_two and schema.label is None and role.kind is ColumnKind.TEXT:
        # An instruction and its input are asked together.
        chosen.append((Bound(called), best))
    if role.optional and not best:
        chosen = chosen if role.kind is ColumnKind.TIME and len(chosen) == 1 else []
        if columns.unnamed and role.kind is ColumnKind.NUMBER and len(columns.profiles) == 4:
            chosen = [(Bound((columns.profiles[2].name,)), 1.0)]
    return chosen


def _one_label_each(role: Column, columns: Columns) -> Bound | None:
    """Several columns of yes and no as one of labels."""
    flags = [each for each in columns.profiles if each.holds is Holds.FLAG]
    if role.kind is not ColumnKind.LIST or sum(not each.same for each in flags) < 2:
        return None
    return Bound(tuple(each.name for each in flags), EACH)


def _bound(schema: Schema, role: Column, names: tuple[str, ...], columns: Columns) -> Bound | None:
    """How these columns are read in a role, None where they cannot be."""
    held = [columns.profile(name) for name in names]
    if len(names) > 1:
        if role.kind is ColumnKind.TEXT:
            return Bound(names)
        flags = all(each.holds is Holds.FLAG for each in held)
        return Bound(names, EACH) if role.kind is ColumnKind.LIST and flags else None
    values = columns.values[names[0]]
    if schema.item_file == role.name and names[0] in columns.histories:
        others = [each for each in columns.profiles if each.name != names[0]]
        users = [each for each in others if columns.says(schema.required[0], each.name)]
        once = any(each.unique for each in users or others)
        return Bound(names, (held[0].mark or SPACED) if once else "")
    if role.kind is ColumnKind.LIST:
        if held[0].holds is Holds.FLAG:
            return None
        if any(names[0] in pairs for pairs in _aligned(schema, columns).values()):
            return Bound(names, SPACED)
        return Bound(names, held[0].mark or splits_by(values))
    if role.kind is ColumnKind.TIME and held[0].holds is Holds.TIME:
        return Bound(names, first=which_first([str(v) for v in values]) or DAY_FIRST)
    if role.kind is ColumnKind.LABEL:
        said = {str(value).strip() for value in values if not is_missing(value)}
        rest = said - {_NA, *_UNKNOWN_LABELS}
        codes = bool(rest) and all(len(each) == 2 and each.isupper() for each in rest)
        unknown: tuple[str, ...] = _UNKNOWN_LABELS if codes else (*_UNKNOWN_LABELS, _NA)
        if any(not any(map(str.isalnum, each)) for each in rest):
            unknown = tuple(each for each in unknown if each not in _SIGNS)
        return Bound(names, unknown=unknown)
    if role.kind is ColumnKind.FLOAT:
        return Bound(names, written=written_as([str(v) for v in values if not is_missing(v)]))
    return Bound(names)


def _paired(schema: Schema, columns: Columns) -> dict[int, dict[str, float]]:
    """Pairs of columns for two roles: of two languages, called alike but for 1 and 2, aligned."""
    if schema.aligned:
        return _aligned(schema, columns)
    texts = [n for n, role in enumerate(schema.required) if role.kind is ColumnKind.TEXT]
    found: dict[int, dict[str, float]] = {}
    if len(texts) < 2 or texts[:2] != [0, 1]:
        return found
    prose = [each for each in columns.profiles if fit(schema.required[0], each)]
    if schema.parallel:
        spoken = [each for each in prose if _is_of_its_language(each)]
        if len(spoken) > 1:
            for place in (0, 1):
                found[place] = {each.name: EXACT for each in spoken}
            if len(spoken) == 2:
                for place, each in enumerate(spoken):
                    found[place] = {each.name: EXACT}
        return found
    for one in prose if schema.twins else ():
        for two in prose:
            if are_twins(one.name, two.name):
                points = PARTLY + 0.1 * min(one.length, 9.0) / 10
                found.setdefault(0, {})[one.name] = points
                found.setdefault(1, {})[two.name] = points
    return found


def _aligned(schema: Schema, columns: Columns) -> dict[int, dict[str, float]]:
    """The columns of words and those of their tags, each a text in one cell, by place."""
    found: dict[int, dict[str, float]] = {}
    for each in columns.aligned if schema.aligned else ():
        for place, name in ((0, each.words), (1, each.tags)):
            some = found.setdefault(place, {})
            some[name] = max(some.get(name, 0.0), SURE * each.sure)
    return found or (_called_aligned(schema, columns) if schema.aligned else {})


def _called_aligned(schema: Schema, columns: Columns) -> dict[int, dict[str, float]]:
    """The same by their names, where the tags are too few or too many to tell them."""
    found: dict[int, dict[str, float]] = {}
    for place, role in enumerate(schema.required):
        texts = [each.name for each in columns.profiles if each.holds in WRITTEN]
        named = next((name for name in texts if name_fit(role, name) > PARTLY), None)
        if named is not None:
            found[place] = {named: 0.0}
    sides = [name for some in found.values() for name in some]
    if len({*sides}) == 2 and same_counts(*(columns.values[name] for name in sides)):
        return found
    return {}


def _is_of_its_language(column: Profile) -> bool:
    code = language(column.name)
    return code is not None and may_be(code, column.written)


def are_twins(one: str, two: str) -> bool:
    """Whether names differ by 1 and 2, a and b, left and right, alone."""
    if one.isdigit() or two.isdigit():
        return False  # Columns without names are called by their numbers.
    if len(one) == len(two):
        differ = [(a, b) for a, b in zip(one.lower(), two.lower(), strict=True) if a != b]
        return differ in ([("1", "2")], [("a", "b")], [("x", "y")])
    return one.lower().replace("left", "right") == two.lower() != one.lower()


def has_twin(name: str, columns: Columns) -> bool:
    """Whether another column is called alike but for 1 and 2, a and b, left and right."""
    return any(
        are_twins(name, each.name) or are_twins(each.name, name) for each in columns.profiles
    )


def without_extra(schema: Schema, bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """The columns of all roles but an extra one that has none."""
    extra = schema.columns[-1].extra and not bounds[-1].columns
    return bounds[:-1] if extra else bounds
