"""What must be known of all labels before rows are written: how many of each, spelled how."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from regard.data.reading.held_out import MOST, SHARE, draw_of
from regard.data.reading.request import Layout
from regard.data.reading.rows import RowSource
from regard.data.reading.spellings import merged_spellings
from regard.data.schema import Cell

LEFT = 0.5
"""Share of a label's examples that stay to train on, at least."""
RARE = 4
"""Examples of a label of which one is held out, few as they are."""
SETTLED = 10**12
"""What a spelling counts that is settled, as those of a trained network are."""
LOOKED_AT = 100_000
"""Examples of a label, those with the lowest draws, among which are those held out."""


@dataclass
class Survey:
    """The labels of a corpus, and the draws of its training examples (see `draw_of`)."""

    counts: Counter[str] = field(default_factory=Counter)
    draws: "array[int]" = field(default_factory=lambda: array("Q"))
    labels: "array[int]" = field(default_factory=lambda: array("I"))
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, label: str, draw: int | None) -> None:
        """Count a label; with the draw of its example where it is one to train on."""
        self.counts[label] += 1
        if draw is not None:
            self.draws.append(draw)
            self.labels.append(self.numbers.setdefault(label, len(self.numbers)))


@dataclass(frozen=True)
class Respelled:
    """Rows whose labels get the spelling that most have."""

    rows: RowSource
    place: int
    spelling: Mapping[str, str]

    @property
    def files(self) -> tuple[Path, ...]:
        return self.rows.files

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        place, spelling = self.place, self.spelling
        for row in self.rows.read(notes):
            label = str(row[place])
            if label in spelling:
                row = (*row[:place], spelling[label], *row[place + 1 :])
            yield row


def surveyed(found: Layout) -> tuple[Layout, Survey | None]:
    """The same with labels of one spelling, and what was counted; None where there are none."""
    place = found.schema.label
    if place is None:
        return found, None
    survey = Survey()
    divided = found.by_label and found.schema.divides_labels and "valid" not in found.splits
    for split, rows in found.splits.items():
        for row in rows.read(Counter()):
            draw = draw_of(row, False) if divided and split == "train" else None
            survey.add(str(row[place]), draw)
    settled = Counter(dict.fromkeys(found.known, SETTLED))
    spelling, said = merged_spellings(survey.counts + settled) if found.merged else ({}, [])
    changed = {o: new for o, new in spelling.items() if o != new and o in survey.counts}
    if not changed:
        return found, survey
    for old, new in changed.items():
        survey.counts[new] += survey.counts.pop(old)
    _renumber(survey, changed)
    splits: dict[str, RowSource] = {
        split: Respelled(rows, place, changed) for split, rows in found.splits.items()
    }
    return replace(found, splits=splits, notes=(*found.notes, *said)), survey


def _renumber(survey: Survey, changed: Mapping[str, str]) -> None:
    new = {old: survey.numbers.setdefault(to, len(survey.numbers)) for old, to in changed.items()}
    table = np.arange(len(survey.numbers))
    for old, number in new.items():
        if old in survey.numbers:
            table[survey.numbers[old]] = number
    survey.labels = array("I", table[np.asarray(survey.labels, dtype=np.int64)].tolist())


def held_by_label(survey: Survey) -> frozenset[int]:
    """The draws of the examples to validate on: of each label as large a share as of all.

    Those with the lowest draws, so that no seed and no order moves one, and whatever was written
    twice stands on one side. A label that has one text alone stays to train on, and where labels
    are many and rare only some have an example; empty where no label has two texts.
    """
    draws = np.asarray(survey.draws, dtype=np.uint64)
    labels = np.asarray(survey.labels, dtype=np.int64)
    share = min(SHARE, MOST / max(1, len(draws)))
    most = max(2.0, 2 * share * len(draws))
    order = np.lexsort((draws, labels))
    bounds = np.flatnonzero(np.diff(labels[order], prepend=-1, append=-1)).tolist()
    groups = [draws[order[start:stop]] for start, stop in pairwise(bounds)]
    values, counts = np.unique(draws, return_counts=True)
    held: dict[int, int] = {}
    for some in sorted(groups, key=len, reverse=True):
        wanted = round(share * len(some)) or int(len(some) >= RARE)
        taken = sum(held.get(draw, 0) for draw in some.tolist()) if len(some) < LOOKED_AT else 0
        for draw in dict.fromkeys(some[:LOOKED_AT].tolist()):
            copies = int(counts[np.searchsorted(values, np.uint64(draw))])
            if taken >= wanted or sum(held.values()) >= most:
                break
            if draw not in held and taken + copies <= (1 - LEFT) * len(some):
                held[draw] = copies
                taken += copies
    return frozenset(held)
