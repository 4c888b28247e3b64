"""Corpora whose columns hold lists, made of rows as the reading of data gives them."""

from collections.abc import Mapping, Sequence
from typing import Any

from regard.data.reading.corpus import Corpus
from regard.data.schema import Schema
from tests.tasks.rows import table


def corpus_of(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Corpus:
    """These rows, what is missing empty; every fifth is there to validate on."""
    names = tuple(column.name for column in schema.columns)
    whole = [{name: row.get(name, "") for name in names} for row in rows]
    splits = {"train": [row for n, row in enumerate(whole) if n % 5], "valid": whole[::5]}
    tables = {
        split: table(**{name: [row[name] for row in some] for name in names})
        for split, some in splits.items()
    }
    labels: list[str] = sorted({row["label"] for row in whole}) if schema.label else []
    return Corpus(schema, tables, names, "", "digest", tuple(labels))
