"""`regard train --dry-run`: say how data is read and what becomes of it, and stop."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from regard.cli.words import settings_of_words
from regard.data.reading.arrow import FirstRows, StoredSplits
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError
from regard.run.asking import asked
from regard.run.merging import settings_for
from regard.run.settings import Settings
from regard.run.starting import origin_of
from regard.run.telling import too_long
from regard.tasks import task_class

LOOKED_AT = 2000
"""Rows of each split whose lengths are looked at."""


def run(
    recipe: str | None,
    given: Mapping[str, Any],
    config: Path | None,
    assignments: Sequence[str],
    out: Path | None,
    resume: str,
    machine: Mapping[str, Any],
    paths: Sequence[str] = (),
) -> int:
    """Print how the data is read, what is cut or left out of it, and what would learn it."""
    recipe, settings = settings_of_words(recipe, given, assignments, paths)
    decided, corpus = settings_for(asked(recipe, resume, config, settings), None, peek=True)
    if corpus is None:
        print(f"{decided.task_name} makes its own data")
        return 0
    print(corpus.description)
    for sentence in _too_long(decided, corpus):
        print(sentence)
    print(f"It would be learned by {decided.model_name}; nothing was trained.")
    return 0


def _too_long(settings: Settings, corpus: Corpus) -> list[str]:
    """What is cut or left out for its length, by the first rows of each split."""
    if not isinstance(corpus.splits, StoredSplits):
        return []
    kind = task_class(settings.task_name)
    few = replace(corpus, splits=corpus.splits.first(LOOKED_AT))
    with tempfile.TemporaryDirectory(prefix="regard-") as place:
        try:
            start = settings.train.start
            coder = origin_of(start).coder(kind, few, settings.task) if start else None
            encoded = kind.prepare(few, settings.task, Path(place), coder)
        except (ValueError, ImportError) as error:
            if isinstance(error, ValueError) and any(map(_is_full, few.splits.values())):
                return []  # There is more of the data than was looked at.
            raise UsageError(str(error)) from None
        said = too_long(encoded.examples, settings.task)
    return [f"of the first {LOOKED_AT:,} rows of each part: {each}" for each in said]


def _is_full(rows: FirstRows) -> bool:
    return len(rows) >= LOOKED_AT
