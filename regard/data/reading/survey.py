"""What must be known of all labels before rows are written: how many of each, spelled how."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from regard.data.reading.held_out import MOST, SHARE, among
from regard.data.reading.look_alikes import look_alikes
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


def labelled(found: Layout) -> tuple[Layout, Counter[str] | None]:
    """The same with labels of one spelling, and how many of each; None where there are none."""
    place = found.schema.label
    if place is None:
        return found, None
    counts = Counter[str]()
    for rows in found.splits.values():
        counts.update(str(row[place]) for row in rows.read(Counter()))
    changed, said = respelling(counts, found)
    found = replace(found, notes=(*found.notes, *said))
    if not changed:
        return found, counts
    splits: dict[str, RowSource] = {
        split: Respelled(rows, place, changed) for split, rows in found.splits.items()
    }
    return replace(found, splits=splits), counts


def respelling(counts: Counter[str], found: Layout) -> tuple[dict[str, str], list[str]]:
    """The labels that get another spelling, which is then counted, and what is to be said of it."""
    settled = Counter(dict.fromkeys(found.known, SETTLED))
    spelling, said = merged_spellings(counts + settled) if found.merged else ({}, [])
    changed = {o: new for o, new in spelling.items() if o != new and o in counts}
    for old, new in changed.items():
        counts[new] += counts.pop(old)
    return changed, [*(said if changed else ()), *look_alikes(+counts)]


def held_by_label(draws: np.ndarray, labels: np.ndarray) -> frozenset[int]:
    """The draws of the examples to validate on: of each label as large a share as of all.

    Those with the lowest draws, so that no seed and no order moves one, and whatever was written
    twice stands on one side. A label that has one text alone stays to train on, and where labels
    are many and rare only some have an example; empty where no label has two texts.
    """
    share = min(SHARE, MOST / max(1, len(draws)))
    most = max(2.0, 2 * share * len(draws))
    groups = _lowest(draws, labels)
    every = np.sort(draws)
    held: dict[int, int] = {}
    for size, some in sorted(groups, key=lambda group: group[0], reverse=True):
        wanted = round(share * size) or int(size >= RARE)
        known = np.sort(np.fromiter(held, dtype=np.uint64))
        there = some[among(some, known)].tolist() if size < LOOKED_AT else []
        taken = sum(held[draw] for draw in there)
        for draw in map(int, np.unique(some)):
            first, behind = (np.searchsorted(every, np.uint64(draw), s) for s in ("left", "right"))
            copies = int(behind - first)
            if taken >= wanted or sum(held.values()) >= most:
                break
            if draw not in held and taken + copies <= (1 - LEFT) * size:
                held[draw] = copies
                taken += copies
    return frozenset(held)


def _lowest(draws: np.ndarray, labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """How many rows each label has, and the lowest draws of them, sorted."""
    order = np.argsort(labels)
    ends = np.cumsum(np.bincount(labels)).tolist()
    groups = []
    for start, stop in pairwise([0, *ends]):
        some = draws[order[start:stop]]
        if len(some) > LOOKED_AT:
            some.partition(LOOKED_AT)
            some = some[:LOOKED_AT].copy()
        groups.append((stop - start, np.sort(some)))
    return groups
