"""A user and what they chose, in order, on each line: `17 3 8 5`."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from regard.data.reading.compression import inner_suffix
from regard.data.reading.lines import lines
from regard.data.reading.tables import Listed, PlacedRow

SAMPLED = 200
LEAST = 5
"""Numbers on a line from which on it is a user's history, and no row of a table."""

_NUMBERS = re.compile(r"\d+( \d+)+ ?")


def history_table(path: Path, encoding: str) -> Listed | None:
    """Such a file as a table of users and lists of items, None for another one."""
    if inner_suffix(path) not in (".txt", ".data", ".dat", ""):
        return None
    try:
        sample = [line for line in islice(lines(path, encoding), SAMPLED) if line.strip()]
    except ValueError:
        return None
    if not sample or not all(map(_NUMBERS.fullmatch, sample)):
        return None
    widths = [len(line.split()) for line in sample]
    users = [line.split()[0] for line in sample]
    ragged = len(set(widths)) > 1 or widths[0] >= LEAST
    if not ragged or len(set(users)) < len(users):
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in enumerate(lines(file, encoding), 1):
            if line.strip():
                user, *items = line.split()
                yield f"{file} line {number}", (user, items)

    said = ("each line is a user and the items that they chose, in order",)
    return Listed(path, ("user", "items"), rows, said)
