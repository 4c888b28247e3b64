"""How often labels were answered with which, as a run's folder has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_LABELS = 2000


@dataclass(frozen=True)
class Confusion:
    """How often each label was answered with each: `counts[i][j]` of label i with label j."""

    step: int
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusions_in(splits: Mapping[str, Any]) -> dict[str, Confusion]:
    """What `confusion.json` says of each split, as far as it makes sense.

    >>> cell = [0, 1, 5]  # Label, answer, count.
    >>> found = confusions_in({"valid": {"step": 9, "labels": ["a", "b"], "counts": [cell]}})
    >>> found["valid"].counts, confusions_in({"test": "?"})
    (((0, 5), (0, 0)), {})
    """
    found = {split: _confusion(entries) for split, entries in splits.items()}
    return {split: confusion for split, confusion in found.items() if confusion is not None}


def _confusion(entries: Any) -> Confusion | None:
    if not isinstance(entries, dict):
        return None
    step, labels, cells = (entries.get(name) for name in ("step", "labels", "counts"))
    if not isinstance(step, int) or not _is_count(step):
        return None
    if not isinstance(labels, list) or not isinstance(cells, list):
        return None
    if len(labels) > MOST_LABELS or not all(isinstance(label, str) for label in labels):
        return None
    counts = [[0] * len(labels) for _ in labels]
    for cell in cells:
        if _is_cell(cell, len(labels)):
            row, column, count = cell
            counts[row][column] = count
    return Confusion(step, tuple(labels), tuple(map(tuple, counts)))


def _is_cell(cell: Any, labels: int) -> bool:
    if not isinstance(cell, Sequence) or len(cell) != 3 or not all(map(_is_count, cell)):
        return False
    return max(cell[:2]) < labels


def _is_count(number: Any) -> bool:
    return type(number) is int and 0 <= number < 10**15
