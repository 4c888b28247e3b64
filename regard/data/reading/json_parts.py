"""The parts of the data in one JSON document: `{"train": [...], "test": [...]}`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.data.reading.compression import inner_suffix
from regard.data.reading.json_tables import Found, lists_of, table_in, table_of
from regard.data.reading.lines import open_text
from regard.data.reading.request import SPLIT_NAMES, split_named
from regard.data.reading.tables import Table

_HEAD = 2**16
_PART = re.compile(r'"(\w+)"\s*:\s*[\[{]')
"""A name at which a list or an object begins."""


def names_parts(path: Path, encoding: str) -> bool:
    """Whether a JSON file begins with a part; only such a one is held in memory to look for others.

    The part need not be at the top.
    """
    if inner_suffix(path) != ".json":
        return False
    with open_text(path, encoding) as (file, spelled):
        head = file.read(_HEAD).decode(spelled, errors="replace")
    return any(map(split_named, _PART.findall(head)))


def json_parts(path: Path, document: Any) -> dict[str, Table] | None:
    """The table of each part in what a JSON file holds, None where there is none to train on.

    What is not called after a part is left out, and said.
    """
    if isinstance(document, dict) and len(document) == 1:
        document = next(iter(document.values()))  # {"data": {"train": ...}}
    if not isinstance(document, dict):
        return None
    names, named = _named(document)
    if "train" not in named or len(named) < 2:
        return None
    parts = {split: names[split] for split in SPLIT_NAMES if split in names}
    beside = [name for name in lists_of(document) if name not in parts.values()]
    without = f"; {', '.join(map(repr, beside))} left out" if beside else ""
    said = (f"{' and '.join(map(repr, parts.values()))} in it are the parts of the data{without}",)
    tables: dict[str, Table] = {}
    for split in parts:
        tables[split] = table_of(path, named[split].place, named[split].make(), said)
    return tables


def _named(document: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Found]]:
    """The name in the document of each split, the first where it has two, and the table there."""
    names: dict[str, str] = {}
    tables: dict[str, Found] = {}
    for name, value in document.items():
        split = split_named(name)
        if split and split not in names and (found := table_in(value, name)):
            names[split], tables[split] = name, found
    return names, tables
