"""Reading as a caller does who knows every task."""

from collections.abc import Mapping, Sequence
from typing import Any

from regard.data.reading import read as reading
from regard.data.reading.corpus import Corpus
from regard.data.reading.request import DataRequest
from regard.data.schema import Schema
from regard.run.corpora import known_schemas

ALL = tuple(known_schemas())
"""The schemas of all tasks."""
STORED = ("cache", "streaming", "peek")


def read_as(
    path: str,
    schemas: Sequence[Schema],
    task: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> Corpus:
    """See `regard.data.reading.read.read`, and its request."""
    named = {"source": source, "target": target, **(columns or {})}
    asked = tuple((option, name) for option, name in named.items() if name)
    stored = {name: options.pop(name) for name in STORED if name in options}
    return reading.read(path, DataRequest(tuple(schemas), task, asked, **options), **stored)


def read(path: str, task: str | None = None, **options: Any) -> Corpus:
    """The same, whatever task it is for."""
    return read_as(path, ALL, task, **options)
