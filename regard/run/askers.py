"""How a trained run reads its inputs: which columns, and what it knows about its users."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from regard.data.encoding.interactions import histories_in
from regard.data.reading.input_columns import RoleColumns
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.text_encoding import AUTO
from regard.data.schema import SPLITS, Column, Schema
from regard.run.corpora import known_schemas, read_corpus
from regard.run.input_histories import HistoryRoles
from regard.run.input_roles import CellRoles, InputRoles
from regard.run.questions import TEXT, Asker
from regard.run.settings import Settings
from regard.tasks import task_class
from regard.tasks.predictor import Predictor


def schema_asked(task: str) -> Schema:
    """The schema of a task; a single column of texts for one that reads no data."""
    found: Schema | None = task_class(task).schema
    return Schema(task, (Column(TEXT),)) if found is None else found


def asker(
    predictor: Predictor,
    settings: Settings | None,
    columns: Mapping[str, str],
    *,
    encoding: str = AUTO,
    as_text: bool = False,
    compare: bool = False,
) -> Asker:
    """The reader of this predictor's inputs from files and texts.

    Args:
        settings: of the run; None for a model folder only, which does not record the columns it
            was trained on.
        columns: those named by the caller, by role.

    Raises `ValueError` for a role that the task does not have.
    """
    schema = schema_asked(predictor.task)
    require_roles(schema, columns)
    trained = settings.data.columns if settings and settings.data else {}
    asked = RoleColumns(trained, columns)
    roles: InputRoles = CellRoles(schema, asked)
    if schema.item_file:
        known = cache(partial(_own_histories, settings, predictor))
        split: Callable[[str], Sequence[str]] = predictor.input_of
        roles = HistoryRoles(schema, asked, split, known, predictor.coder.longest)
    return Asker(
        predictor,
        schema,
        asked,
        roles,
        encoding,
        as_text,
        compare,
        exact=bool(settings and settings.data and settings.data.labels == "exact"),
        lexicon=Lexicon.of(known_schemas()),
    )


def require_roles(schema: Schema, columns: Mapping[str, str]) -> None:
    """Raise `ValueError` for columns of roles that the task does not have."""
    options = [column.asked for column in schema.columns]
    if len(schema.required) == 2:
        options += [name for name in ("source", "target") if name not in options]
    for role in columns:
        if role not in options:
            raise ValueError(
                f"the run is of the task {schema.task}, which has no --{role}; it has "
                f"{', '.join(f'--{each}' for each in options)}"
            )


def _own_histories(settings: Settings | None, predictor: Any) -> Mapping[str, Sequence[str]]:
    """What each user of the run's own data chose, oldest first."""
    if settings is None or settings.data is None or not settings.data.path:
        raise ValueError(
            "what a user chose is in the run's own data, and this folder does not say where that "
            "is; give the items that they chose"
        )
    catalogue = predictor.coder.catalogue
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="regard-") as place:
        schemas = [schema_asked(predictor.task)]
        try:
            corpus = read_corpus(
                settings.data, predictor.task, Path(place), schemas, as_trained=True
            )
        except (OSError, ImportError) as error:
            raise ValueError(f"what a user chose is in the run's own data: {error}") from None
        for split in SPLITS:
            if split in corpus.splits:
                own = histories_in(corpus.splits[split], catalogue)
                for user, row in zip(own.users, own.sequences, strict=True):
                    found.setdefault(user, []).extend(catalogue.decode(row.tolist()))
    return found
