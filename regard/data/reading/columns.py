"""Which columns of a table play which role, and so, what the table is read as."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

from regard.data.reading.lexicon import is_language, suggestion
from regard.data.reading.request import DataRequest
from regard.data.schema import Cell, ColumnKind, Schema

FirstRows = Callable[[tuple[str, ...]], Sequence[tuple[Cell, ...]]]
"""Columns → the first rows of them."""

ColumnPair = tuple[str, str]


def choose_columns(
    names: tuple[str, ...], first_rows: FirstRows, where: str, request: DataRequest
) -> tuple[Schema, tuple[str, ...]]:
    """What a table is read as, and the column of each role, "" for one that is missing.

    Decided by what the caller said, else by the names (of the tasks with the most columns first),
    else by the values of the first rows. `request.source` names the first column of a pair or the
    text, `request.target` the second.

    Raises `ValueError` when a name is not there, and when several readings are as likely.

    >>> from regard.data.schema import Column
    >>> tag = Schema("tag", (Column("words", ("tokens",)), Column("tags")))
    >>> found = choose_columns(("TAGS", "tokens"), lambda columns: [], "a.csv", DataRequest((tag,)))
    >>> found[0].task, found[1]
    ('tag', ('tokens', 'TAGS'))
    """
    for option, name in (("source", request.source), ("target", request.target)):
        if name is not None and name not in names:
            hint = suggestion(name, names)
            raise ValueError(f"{where} has no column {name!r} ({option}); {hint}")
    named = [schema for schema in request.candidates if _told_by_names(schema, request)]
    if request.task or (request.source is None and request.target is None):
        for schema in sorted(named, key=lambda schema: -len(schema.columns)):
            found = _by_names(schema, names, where, request)
            if found:
                return schema, found
    running = request.first(lambda schema: schema.running_text)
    if running and (request.task or _is_one_text(running, names)):
        return running, (_text(running, names, where, request),)
    pairs = tuple(schema for schema in request.candidates if schema.any_two)
    if len(names) == 1 or not pairs:
        raise ValueError(f"{where} has {_nothing_to_read(names, running, request)}")
    pair = _pair(pairs, names, where, request)
    schema = _schema_of(pairs, pair, first_rows, request)
    if running and not request.task and schema.label is None and request.source is None:
        if pair[0].lower() in running.columns[0].called:
            return running, pair[:1]
    if schema.label is not None and request.source is None and request.target is None:
        pair = _label_last(schema, pair, first_rows)
    return schema, pair


def _told_by_names(schema: Schema, request: DataRequest) -> bool:
    """Whether names alone tell that data is of this task, and not values or plain text.

    Numbers that a task must have may be another's labels, so that whoever wants them says so.
    """
    numbers = any(column.kind is ColumnKind.FLOAT for column in schema.required)
    open_question = numbers and len(request.candidates) > 1
    return not (schema.any_two or schema.running_text or open_question)


def _is_one_text(schema: Schema, names: tuple[str, ...]) -> bool:
    return len(names) == 1 and names[0].lower() in schema.columns[0].called


def _by_names(
    schema: Schema, names: tuple[str, ...], where: str, request: DataRequest
) -> tuple[str, ...] | None:
    """The columns of a task by their names.

    When the caller named the task, columns whose names mean nothing are taken as they stand;
    `request.source` and `request.target` name those of a task with two.
    Raises `ValueError` when it did and there are too few or too many of them.
    """
    needed, lower = len(schema.required), {name.lower(): name for name in names}
    told = (request.source, request.target) if needed == 2 else ()
    found = tuple(
        said or next((lower[word] for word in column.called if word in lower), "")
        for column, said in zip_longest(schema.columns, told)
    )
    if all(found[:needed]) and len(set(found[:needed])) == needed:
        return _without_extra(schema, found)
    if not request.task:
        return None
    meant = any(told) or request.lexicon.words & lower.keys()
    if meant or not needed <= len(names) <= len(schema.columns):
        roles = " and ".join(column.name for column in schema.required)
        said = ", or say source=... and target=... (--source and --target on the command line)"
        raise ValueError(
            f"{where} has columns {', '.join(names)}; to {schema.task}, call the columns {roles}"
            f"{said if needed == 2 else ''}"
        )
    return _without_extra(schema, (*names, *[""] * (len(schema.columns) - len(names))))


def _without_extra(schema: Schema, columns: tuple[str, ...]) -> tuple[str, ...]:
    return columns[:-1] if schema.columns[-1].extra and not columns[-1] else columns


def _text(schema: Schema, names: tuple[str, ...], where: str, request: DataRequest) -> str:
    if request.source is not None or len(names) == 1:
        return request.source or names[0]
    found = [name for name in names if name.lower() in schema.columns[0].called]
    if len(found) != 1:
        raise ValueError(
            f"{where} has columns {', '.join(names)}; say with source=... (--source on the command "
            "line) which is the text"
        )
    return found[0]


def _nothing_to_read(names: tuple[str, ...], running: Schema | None, request: DataRequest) -> str:
    """What is wrong with a table whose columns are of no task."""
    there = f"columns {', '.join(names)}" if len(names) > 1 else f"one column only, {names[0]!r}"
    if len(names) == 1 and running:
        return (
            f"{there}; say task={running.task!r} (--task on the command line) to read its texts "
            "as one"
        )
    needed = ", or ".join(
        f"{' and '.join(column.name for column in schema.required)} ({schema.task})"
        for schema in request.candidates
    )
    return f"{there}, and there must be {needed}; rename columns, or add what is missing"


def _pair(
    schemas: tuple[Schema, ...], names: tuple[str, ...], where: str, request: DataRequest
) -> ColumnPair:
    """The two columns to read, whatever they are."""
    source, target = request.source, request.target
    if source is not None and target is not None:
        return source, target
    pairs: list[ColumnPair] = []
    for first, second in (schema.columns for schema in schemas):
        left = [name for name in names if name.lower() in first.called]
        right = [name for name in names if name.lower() in second.called]
        pairs += [(one, two) for one in left for two in right]
    spoken = [name for name in names if is_language(name)]
    for some in (spoken if any(schema.parallel for schema in schemas) else [], names):
        if not pairs:
            pairs = [(one, two) for one in some for two in some if one != two]
            pairs = pairs if source or target or len(pairs) != 2 else pairs[:1]
    pairs = [p for p in pairs if source in (None, p[0]) and target in (None, p[1])]
    if len(pairs) != 1:
        running = request.first(lambda schema: schema.running_text)
        instead = f", or task={running.task!r} (--task)" if running else ""
        raise ValueError(
            f"{where} has columns {', '.join(names)}; say with source=... and target=... (--source "
            "and --target on the command line) which two to read (the text and its label, or the "
            f"two languages){instead}"
        )
    return pairs[0]


def _schema_of(
    schemas: tuple[Schema, ...], pair: ColumnPair, first_rows: FirstRows, request: DataRequest
) -> Schema:
    """What a pair of columns is: by the name of the second, else by the values."""
    labelled = [schema for schema in schemas if schema.label is not None]
    others = [schema for schema in schemas if schema.label is None]
    if not labelled or not others:
        return schemas[0]
    for schema in (*labelled, *others):
        if pair[1].lower() in schema.columns[1].called:
            return schema
    if all(map(is_language, pair)) and any(schema.parallel for schema in others):
        return next(schema for schema in others if schema.parallel)
    rows = first_rows(pair)
    labels = [_few([str(row[place]) for row in rows]) for place in (0, 1)]
    guess = request.source is None and request.target is None
    return labelled[0] if labels[1] or (guess and labels[0]) else others[0]


def _label_last(schema: Schema, pair: ColumnPair, first_rows: FirstRows) -> ColumnPair:
    """The pair with the column of fewer values last, unless a name says which it is."""
    words = [word for column in schema.columns for word in column.called]
    if any(name.lower() in words for name in pair):
        return pair
    rows = first_rows(pair)
    first, second = (len({row[place] for row in rows}) for place in (0, 1))
    return pair if second <= first else (pair[1], pair[0])


def _few(values: Sequence[str]) -> bool:
    """Whether values look like labels: short, and each used more than once on average."""
    return len(set(values)) * 2 <= len(values) and all(len(value) <= 50 for value in values)
