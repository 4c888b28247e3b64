"""What is said of readings: what is to be known of one, which there are, and why there is none."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from shlex import quote
from typing import Any

from regard.data.reading.answer_starts import misplaced
from regard.data.reading.cells import EACH, Bound
from regard.data.reading.dates_written import which_first
from regard.data.reading.fits import PARTLY, SMALL, fit, name_fit
from regard.data.reading.likely import unanswered
from regard.data.reading.numbers_written import Written
from regard.data.reading.profile import Holds, Profile, is_missing
from regard.data.reading.readings import Columns, Reading
from regard.data.reading.request import DataRequest
from regard.data.reading.text_faults import text_faults
from regard.data.schema import ColumnKind, Schema

_PICTURES = (Holds.PICTURE, Holds.PICTURE_FILE)
_MOST_SAME = 0.5
"""Share of rows whose two sides are the same from which on it is told."""
NEAREST = 3
"""Tasks that are named where a table is of none."""
SHOWN = 3
"""Examples of each reading that are shown where the caller has to choose."""


def remarks(reading: Reading, columns: Columns) -> Iterator[str]:
    """What is to be said about a reading."""
    left = [each for each in columns.profiles if each.name not in reading.columns]
    left = [each for each in left if each.holds is not Holds.NOTHING]
    sides = [b.columns[0] for b, r in zip(reading.bounds, reading.schema.required, strict=False)]
    if len(sides) > 1:
        pairs = list(zip(columns.values[sides[0]], columns.values[sides[1]], strict=True))
        same = sum(one == two and not is_missing(one) for one, two in pairs)
        if same > _MOST_SAME * len(pairs):
            yield f"{sides[0]} and {sides[1]} hold the same in {same:,} of {len(pairs):,} rows"
    yield from misplaced(reading.schema, reading.bounds, columns.values)
    if left:
        yield f"columns that are not used: {', '.join(each.name for each in left)}"
    for bound, role in zip(reading.bounds, reading.schema.columns, strict=False):
        if not bound.columns or bound.mark == EACH:
            continue
        if role.kind is ColumnKind.TEXT:
            for name in bound.columns:
                yield from (f"{name}: {said}" for said in text_faults(columns.values[name]))
        held = columns.profile(bound.columns[0])
        if role.kind is ColumnKind.LABEL and _of_groups(columns.values[bound.columns[0]]):
            yield (
                f"{bound.name} stands in the first row of groups alone, as merged cells do; the "
                "rows below have none and are left out, unless it is filled down"
            )
        if role.kind is ColumnKind.LABEL and _many(held):
            yield (
                f"{bound.name} has {held.distinct:,} different values in {held.filled:,} rows and "
                "is learned as labels because you said so"
            )
        said = {str(value).strip() for value in columns.values[bound.columns[0]]}
        none = sorted(filter(None, said.intersection(bound.unknown)))
        if none:
            yield f"{bound.name}: {', '.join(none)} {'are' if none[1:] else 'is'} read as no label"
        if role.kind is ColumnKind.LABEL and held.holds is Holds.WHOLE and not held.unique:
            if held.distinct > 2:
                of_texts = reading.schema.columns[0].kind is ColumnKind.TEXT
                yield (
                    f"{bound.name} holds {held.distinct} whole numbers, which are learned as "
                    f"classes{'; as numbers with --task regress' if of_texts else ''}"
                )
        if bound.written != Written():
            shown = next(v for v in map(str, columns.values[bound.columns[0]]) if _tells(bound, v))
            yield f"{bound.name}: {shown.strip()} is read as {bound.written.number(shown):g}"
        if role.kind is ColumnKind.TIME and held.holds is Holds.TIME:
            texts = [str(value) for value in columns.values[bound.columns[0]]]
            if which_first(texts) is None and any(re.match(r"\d\d?[/-]", text) for text in texts):
                yield f"{bound.name}: in dates such as {texts[0]} the day is taken to come first"


def _of_groups(values: Sequence[Any]) -> bool:
    """Whether most rows lack a label, and none that has one follows another that has."""
    there = [not is_missing(value) for value in values]
    return (
        there[:1] == [True]
        and 2 < sum(there) < len(there) / 2
        and not any(one and two for one, two in pairwise(there))
    )


def _tells(bound: Bound, text: str) -> bool:
    """Whether a value shows how the numbers of a column are written."""
    return bound.written.number(text) is not None and (not bound.written.thousands or "," in text)


def which_of(where: str, readings: Sequence[Reading], columns: Columns) -> str:
    """The question which of several readings is meant, with examples of each."""
    lines = [f"{where} can be read in {len(readings)} ways; say which:"]
    for reading in readings:
        lines.append(f"  {reading.options()}")
        for number in range(min(SHOWN, len(next(iter(columns.values.values()))))):
            cells = [
                f"{name}: {str(columns.values[name][number])[:60]!r}"
                for name in reading.columns[:4]
            ]
            lines.append(f"    {number + 1}. {' | '.join(cells)}")
    texts = [each.name for each in columns.profiles if each.holds is Holds.TEXT]
    if len(texts) > 1 and any(r.schema.columns[0].asked == "text" for r in readings):
        lines.append(f"  columns of texts are joined with --text {quote(','.join(texts))}")
    return "\n".join(lines)


def nothing_fits(columns: Columns, request: DataRequest) -> str:
    """What is wrong with a table whose columns are of no task."""
    names = [each.name for each in columns.profiles]
    held = [f"{each.name} ({each.holds.value})" for each in columns.profiles[:12]]
    there = f"columns {', '.join(held)}" if len(names) > 1 else f"one column only, {held[0]}"
    if any(each.holds in _PICTURES for each in columns.profiles) and not request.first(_looks):
        tasks = " or ".join(schema.task for schema in request.candidates)
        return f"{there}; {tasks} is not learned from pictures"
    if not request.task and not columns.asked and _are_features(columns, request):
        alone = "" if columns.unnamed else ", and numbers alone are not learned"
        return (
            f"{there}: no column holds texts or pictures{alone}; add a column of texts, or say "
            "which are users and what they chose with --user and --item"
        )
    lacking = None if request.task else _lacking(columns, request)
    if lacking:
        return f"{there}: {lacking}"
    running = request.first(lambda schema: schema.running_text)
    if len(names) == 1 and running and not request.task:
        return (
            f"{there}; say task={running.task!r} (--task on the command line) to read its texts "
            "as one"
        )
    reasons = [
        f"write the numbers of {each.name} in one unit to learn them (--task regress)"
        for each in columns.profiles
        if each.holds is Holds.AMOUNT and not columns.asked
    ]
    reasons += [reason for s in request.candidates for reason in _misfits(s, columns)]
    near = sorted(request.candidates, key=lambda schema: -_nearness(schema, columns))[:NEAREST]
    needed = ", or ".join(
        f"{' and '.join(column.name for column in schema.required)} ({schema.task})"
        for schema in near
    )
    options = dict.fromkeys(f"--{c.asked}" for s in near for c in s.required)
    why = f": {reasons[0]}" if reasons else ""
    told = f"{there}{why}; there must be {needed}; say which is which with {', '.join(options)}"
    texts = [each.name for each in columns.profiles if each.holds is Holds.TEXT]
    if running and not request.task and len(texts) == 1:
        told += f"; to learn the texts alone, --task {running.task} --text {quote(texts[0])}"
    return told


def _are_features(columns: Columns, request: DataRequest) -> bool:
    """Whether a table is one of numbers and classes, without a name of a task of names."""
    roles = [r for s in request.schemas for r in s.required if r.kind is ColumnKind.NAME]
    named = any(name_fit(r, each.name) > PARTLY for r in roles for each in columns.profiles)
    plain = (Holds.WHOLE, Holds.NUMBER, Holds.FLAG, Holds.TIME)
    numbers = sum(each.holds in plain for each in columns.profiles)
    others = [*plain, Holds.LABEL, Holds.NOTHING]
    if columns.unnamed:
        others += [Holds.NAME, Holds.OTHER]  # as the logs of many are
    return not named and numbers > 1 and all(each.holds in others for each in columns.profiles)


def _nearness(schema: Schema, columns: Columns) -> float:
    """The share of a task's roles that some column may play, by its name most of all."""
    rated = (
        max(min(fit(role, each), 1.0) + name_fit(role, each.name) for each in columns.profiles)
        for role in schema.required
    )
    return sum(rated) / len(schema.required)


def _looks(schema: Schema) -> bool:
    return any(column.kind in (ColumnKind.IMAGE, ColumnKind.BYTES) for column in schema.columns)


def _lacking(columns: Columns, request: DataRequest) -> str:
    """What a table lacks that has the questions of a task and no answers; "" for another table."""
    found = unanswered(columns, request)
    if found is None:
        return ""
    schema, named = found
    right = schema.right
    answer = right.asked if right else ""
    lack = (
        f"there is no {answer} beside {' and '.join(named)}; name its column with --{answer} COLUMN"
    )
    pair = request.first(lambda each: each.any_two and each.parallel)
    if pair is None or len(named) != 2:
        return lack
    one, two = map(quote, named)
    to_pair = f"--task {pair.task} --source {one} --target {two}"
    return f"{lack}, or learn the one from the other with {to_pair}"


def _misfits(schema: Schema, columns: Columns) -> Iterator[str]:
    """Columns that are called like a role, and hold what it cannot be."""
    for role in schema.required:
        for column in columns.profiles:
            if name_fit(role, column.name) and not fit(role, column):
                if role.kind is ColumnKind.LABEL and _many(column):
                    yield (
                        f"{column.name} has {column.distinct:,} different values in "
                        f"{column.filled:,} rows, too many for labels"
                    )
                else:
                    yield f"{column.name} holds {column.holds.value}, which {role.name} cannot be"


def _many(column: Profile) -> bool:
    return column.filled >= SMALL and not column.repeats
