"""The parts of the data in one JSON document: `{"train": [...], "test": [...]}`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.data.reading.compression import inner_suffix
from regard.data.reading.json_tables import json_document, lists_of, table_in, table_of
from regard.data.reading.lines import open_text
from regard.data.reading.request import SPLIT_NAMES, split_named
from regard.data.reading.tables import Table

_HEAD = 2**16
_PART = re.compile(r'"(\w+)"\s*:\s*[\[{]')
"""A name at which a list or an object begins."""


def json_parts(path: Path, encoding: str) -> dict[str, Table] | None:
    """The table of each part in a JSON file, None for one without a part to train on.

    What is not called after a part is left out, and said.
    """
    if inner_suffix(path) != ".json" or not _names_parts(path, encoding):
        return None
    document = json_document(path, encoding)
    if isinstance(document, dict) and len(document) == 1:
        document = next(iter(document.values()))  # {"data": {"train": ...}}
    if not isinstance(document, dict):
        return None
    named = _named(document)
    if "train" not in named or len(named) < 2:
        return None
    parts = {split: named[split] for split in SPLIT_NAMES if split in named}
    beside = [name for name in lists_of(document) if name not in parts.values()]
    without = f"; {', '.join(map(repr, beside))} left out" if beside else ""
    said = (f"{' and '.join(map(repr, parts.values()))} in it are the parts of the data{without}",)
    tables: dict[str, Table] = {}
    for split, name in parts.items():
        place, entries = table_in(document[name], name) or (name, [])
        tables[split] = table_of(path, place, entries, said)
    return tables


def _names_parts(path: Path, encoding: str) -> bool:
    """Whether a file begins with a part; only such a one is held in memory to look for others."""
    with open_text(path, encoding) as (file, spelled):
        head = file.read(_HEAD).decode(spelled, errors="replace")
    return any(map(split_named, _PART.findall(head)))


def _named(document: Mapping[str, Any]) -> dict[str, str]:
    """Split → the name in the document under which its rows are, the first where it has two."""
    found: dict[str, str] = {}
    for name, value in document.items():
        split = split_named(name)
        if split and split not in found and table_in(value, name):
            found[split] = name
    return found
