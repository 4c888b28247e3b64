"""The data of a run: what is to be read, and what it decides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regard.config import fields_of
from regard.data.reading.corpus import Corpus
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.data.reading.text_encoding import AUTO
from regard.data.schema import ColumnKind, Schema
from regard.errors import UsageError
from regard.run.recipes import brings_data, names, resolved
from regard.run.request import ALIASES, Request
from regard.run.settings import DataSettings
from regard.tasks import TASKS, task_class


class UnreadData(UsageError):
    """Data that cannot be read."""


def data_asked(base: Any, request: Request) -> DataSettings:
    """What is to be read, before it has said what it is."""
    entries = dict(base.get("data", {}))
    for table in request.tables:
        entries |= table.get("data", {})
    for key, value in request.given:
        name = ALIASES.get(key, key).removeprefix("data.")
        if name in fields_of(DataSettings) and "." not in name:
            entries[name] = value
    try:
        found = DataSettings.from_entries(entries)
    except (ValueError, TypeError) as error:
        raise UsageError(f"[data] {error}") from None
    if not found.path:
        bring = ", ".join(name for name in names() if brings_data(name))
        raise UsageError(
            f"say what to learn from (--data PATH), or a recipe that brings its own data: {bring}"
        )
    return found


def corpus_of(
    data: DataSettings, task: str | None, cache: Path | None, request: Request, peek: bool
) -> Corpus:
    """The data that is asked for; raises `UnreadData` with file and line."""
    try:
        return read_corpus(data, task, cache, known_schemas(), peek)
    except (OSError, ImportError) as error:
        raise UnreadData(str(error)) from None
    except ValueError as error:
        if request.recipe in (None, task) or request.named("task") is not None:
            raise UnreadData(str(error)) from None
        recipe_name = resolved(str(request.recipe))
        raise UnreadData(
            f"{error} (read for {task}, because that is what the recipe {recipe_name} is for; "
            f"another recipe, or none, if {data.path} is something else)"
        ) from None


def known_schemas() -> list[Schema]:
    """The schemas of all tasks that read data."""
    return [found.schema for found in map(task_class, TASKS) if found.schema is not None]


def read_corpus(
    data: DataSettings,
    task: str | None,
    cache: Path | None,
    schemas: Sequence[Schema],
    peek: bool = False,
    as_trained: bool = False,
    known: Sequence[str] = (),
) -> Corpus:
    """The data of a run; raises `ValueError` with the file and the line."""
    request = DataRequest(
        tuple(schemas),
        task,
        tuple((option, name) for option, name in data.columns.items() if name),
        data.encoding,
        as_trained,
        merged=data.labels == "merged",
        by_label=data.hold_out == "label",
        known=tuple(known),
        readable=data.unreadable == "leave_out",
    )
    return read(data.path, request, cache=cache, streaming=data.streaming, peek=peek)


def _require_acting(schema: Schema, request: Request) -> None:
    """Raise `UsageError` for a setting of labels or pictures where the task's data has none."""
    idle: dict[str, str] = {}
    if schema.label is None:
        idle["labels"] = "is for labels, and the task {} has none"
    if not schema.divides_labels:
        lacks = "has none" if schema.label is None else "divides its data without them"
        idle["hold_out"] = f"is for labels, and the task {{}} {lacks}"
    if all(column.kind is not ColumnKind.IMAGE for column in schema.columns):
        idle["unreadable"] = "is for pictures, and the task {} has none"
    for name, why in idle.items():
        in_tables = request.in_tables("data", name)
        other = in_tables not in (None, getattr(DataSettings, name)) and not request.resumes
        if other or request.gives("data", name):
            raise UsageError(f"data.{name} {why.format(schema.task)}; leave it out")


def decided_by(entries: Any, corpus: Corpus, request: Request) -> Any:
    """The settings with what the data itself decides."""
    schema = task_class(corpus.task).schema
    _require_acting(schema, request)
    if schema.parallel:
        source, target = corpus.names[:2]
        entries["data"] |= {"source": source, "target": target}
    for role, name in zip(schema.columns, corpus.columns, strict=False):
        if name:
            entries["data"][role.asked] = name
    if entries["data"].get("encoding", AUTO) == AUTO:
        entries["data"]["encoding"] = corpus.encoding
    asked = any("evaluate_every" in table.get("train", {}) for table in request.tables)
    asked = asked or any(key.endswith("evaluate_every") for key, _ in request.given)
    if entries["data"].get("streaming") and not asked:
        # A stream has no end at which all processes could evaluate.
        entries["train"]["evaluate_every"] = 1000
    return entries
