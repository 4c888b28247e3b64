"""Evaluation of a trained network on labeled data: how good it is, and where it is wrong."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from regard._io.faults import sentence
from regard.data.reading.corpus import Corpus
from regard.data.reading.row_check import rows_without
from regard.data.reading.text_encoding import AUTO
from regard.data.reading.unreadable import unreadable_notes
from regard.errors import UsageError
from regard.run.askers import require_roles, schema_asked
from regard.run.corpora import read_corpus
from regard.run.preparing import task_of_trained
from regard.run.settings import DataSettings, Settings
from regard.tasks import task_class
from regard.tasks.details import Details
from regard.tasks.task import Record, Task


@dataclass(frozen=True)
class Examination:
    """The result of an evaluation.

    Args:
        split: the evaluated split.
        examples: its number of examples.
        metrics: by name.
        details: per-class tables, the worst examples and so on.
        notes: rows that were not evaluated, and why.
        remarks: the task's remarks on the whole evaluation.
    """

    split: str
    examples: int
    metrics: dict[str, float]
    details: Details
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def examined(
    predictor: Any,
    settings: Settings,
    run: Path,
    data: str | Path | None,
    split: str | None,
    num_answers: int,
    worst: int,
    columns: Mapping[str, str],
    encoding: str,
) -> Examination:
    """Evaluate on the run's own data, or on all of another data set (see `Run.examination`)."""
    if data is not None and settings.data is not None:
        other = replace(settings.data, path=str(data), encoding=encoding)
        settings = replace(settings, data=_renamed(other, settings.task_name, columns))
    elif columns or encoding != AUTO:
        option = next(iter(columns), "encoding")
        raise UsageError(f"{option}=... (--{option}) is for other data; say which (--data)")
    if settings.data is not None and not settings.data.path:
        raise UsageError(
            f"{run} does not say where its data is, which a Task object had; give some, as in "
            "evaluate(data)"
        )
    with tempfile.TemporaryDirectory(prefix="regard-") as place:
        corpus = None
        try:
            if settings.data is not None:
                read = Path(place) / "read"
                schemas = [task_class(settings.task_name).schema]
                labels = getattr(predictor.coder, "labels", ())
                corpus = read_corpus(
                    settings.data, settings.task_name, read, schemas, as_trained=True, known=labels
                )
            task = task_of_trained(predictor, settings, corpus, Path(place), data is not None)
        except (ValueError, OSError, ImportError) as error:
            why = _nothing_to_compare(settings, error, columns) or sentence(error)
            if data is None and isinstance(error, FileNotFoundError):
                why += f"; the run in {run} was trained on it: say where it is now (--data)"
            raise UsageError(why) from error
        chosen = split or ("test" if task.size("test") else "valid")
        count = task.size(chosen)
        if not count:
            raise UsageError(
                f"the data has no {chosen} part; say split=valid (--split) or give other data"
            )
        records = task.examine(chosen, np.arange(count), num_answers)
        _require_known(settings, corpus, task, records)
        details = task.details(chosen, records, worst)
        notes = _left_out(corpus, count) if data is not None else ()
        remarks = tuple(task.remarks(chosen, records))
        return Examination(chosen, count, task.score(chosen, records), details, notes, remarks)


def _renamed(data: DataSettings, task: str, columns: Mapping[str, str]) -> DataSettings:
    """The same data whose roles have these columns; those of training where none is given."""
    schema = schema_asked(task)
    try:
        require_roles(schema, columns)
    except ValueError as error:
        raise UsageError(str(error)) from None
    sides = [role.asked for role in schema.required] if len(schema.required) == 2 else []
    options = dict(zip(("source", "target"), sides, strict=False))
    named: dict[str, Any] = {options.get(role, role): name for role, name in columns.items()}
    return replace(data, **named)


def _nothing_to_compare(
    settings: Settings, error: Exception, columns: Mapping[str, str]
) -> str | None:
    """What is said where data lacks the very column that answers are compared with."""
    schema = task_class(settings.task_name).schema
    if settings.data is None or schema is None or schema.running_text:
        return None
    role = schema.required[-1]
    if columns:
        return None  # A name that was given may be misspelled.
    wanted = settings.data.columns.get(role.asked) or role.name
    lacks = f"{settings.data.path} has no column {wanted!r}"
    if str(error).startswith(lacks):
        return f"{lacks} to compare with; `regard predict` answers without one"
    return None


def _require_known(
    settings: Settings, corpus: Corpus | None, task: Task, records: Sequence[Record]
) -> None:
    """Raise `UsageError` where not one label is known: then that column holds something else."""
    label = task.schema.label if task.schema else None
    if corpus is None or label is None or any(each.get("target", 0) >= 0 for each in records):
        return
    known = getattr(task.coder, "labels", ())
    such = f" ({', '.join(map(str, known[:5]))}{', ...' if len(known) > 5 else ''})"
    assert settings.data is not None, "a corpus was read"
    raise UsageError(
        f"{settings.data.path} has no column 'label' to compare with: nothing in its column "
        f"{corpus.names[label]!r} is a label that the run knows{such if known else ''}; "
        "`regard predict` answers without one"
    )


def _left_out(corpus: Corpus | None, judged: int) -> tuple[str, ...]:
    """Rows that lack what is compared or asked, by the name of what they lack."""
    if corpus is None:
        return ()
    unreadable = unreadable_notes(Counter(corpus.left_out))
    names = sorted(column.name for column in corpus.schema.columns)
    left_out = {name: corpus.left_out.get(rows_without(name), 0) for name in names}
    total = judged + sum(left_out.values()) + unreadable.total()
    lacking = (
        f"{number:,} of {total:,} rows have no {name} and are not judged"
        for name, number in left_out.items()
        if number
    )
    return (*lacking, *(f"{number:,} {what}" for what, number in unreadable.items()))
