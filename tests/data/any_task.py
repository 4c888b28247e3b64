"""Reading as a caller does who knows every task."""

from typing import Any

from regard.data.reading import read as reading
from regard.data.reading.corpus import Corpus
from regard.run.merging import known_schemas

ALL = tuple(known_schemas())
"""The schemas of all tasks."""


def read(path: str, task: str | None = None, **options: Any) -> Corpus:
    """See `regard.data.reading.read.read`."""
    return reading.read(path, ALL, task, **options)
