"""Where answers are said to begin in their passages, and do not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regard.data.reading.cells import Bound
from regard.data.reading.profile import is_missing
from regard.data.schema import Column, ColumnKind, Schema


def misplaced(
    schema: Schema, bounds: Sequence[Bound], values: Mapping[str, Sequence[Any]]
) -> Iterator[str]:
    """What is to be said of the first rows' answers that do not stand where they should.

    Args:
        values: the first rows, column by column.
    """
    roles = {role.name: bound for role, bound in zip(schema.columns, bounds, strict=False)}
    answer = next((role for role in schema.columns if role.within), None)
    start = next((role for role in schema.columns if role.kind is ColumnKind.NUMBER), None)
    if answer is None or start is None or not _is_one(roles, answer, answer.within):
        return
    name = roles[answer.name].name
    texts = list(map(_plain, values[roles[answer.within].name]))
    found = list(zip(texts, map(_plain, values[name]), strict=True))
    asked = [place for place, (_, said) in enumerate(found) if said.strip()]
    lost = [place for place in asked if found[place][1].strip() not in found[place][0]]
    if lost:
        said = f"do not stand in their {answer.within}s, such as {found[lost[0]][1][:40]!r}"
        yield f"{len(lost):,} of the first {len(found):,} answers {said}, and teach nothing"
    if not _is_one(roles, start):
        return
    starts = values[roles[start.name].name]
    wrong = [
        place
        for place in set(asked) - set(lost)
        if not is_missing(starts[place]) and not _begins(*found[place], starts[place])
    ]
    if wrong:
        where = min(wrong)
        yield (
            f"{len(wrong):,} of the first {len(found):,} answers do not begin at their "
            f"{roles[start.name].name}, such as {found[where][1][:40]!r} at {starts[where]}; the "
            "nearest place where they stand is learned"
        )


def _is_one(roles: dict[str, Bound], *columns: Column | str) -> bool:
    """Whether each of these roles has a column, and no more."""
    names = (column if isinstance(column, str) else column.name for column in columns)
    return all(len(roles[name].columns) == 1 for name in names if name in roles)


def _begins(context: str, answer: str, start: Any) -> bool:
    """Whether an answer begins at a character of its context, but for spaces around it."""
    try:
        place = int(float(start))
    except (TypeError, ValueError, OverflowError):
        return True  # It is refused where it stands.
    inner = answer.strip()
    spaces = len(answer) - len(answer.lstrip())
    return place >= 0 and inner in (
        context[place : place + len(inner)],
        context[place + spaces : place + spaces + len(inner)],
    )


def _plain(value: Any) -> str:
    return "" if is_missing(value) else str(value)
