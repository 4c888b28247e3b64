"""The rows of all splits in files: each parsed once, a part held out, labels of one spelling."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from regard.data.reading.corpus import one_line
from regard.data.reading.held_out import among, copies_held, held_by_hash, where_of
from regard.data.reading.natural import natural
from regard.data.reading.request import Layout
from regard.data.reading.seen import LABEL_SHOWN, Seen
from regard.data.reading.survey import held_by_label, respelling
from regard.data.reading.unreadable import unreadable_notes
from regard.data.reading.written import (
    LabelNumbers,
    Written,
    column_of,
    divided,
    ended,
    label_counts,
    respelled,
    written,
)
from regard.data.schema import AtEnd, ByHash, ByTask, Column

MAX_LABELS = 10_000
NAMED = 5
"""Files that are named where there is nothing in them."""
LEAST_COPIES = 100
"""Examples of which copies are held out, where no label has two texts."""


@dataclass
class _Store:
    """The parts as they are written, and what is to be said of them."""

    found: Layout
    folder: Path
    parts: dict[str, Written]
    labels: list[str]
    notes: list[str]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.found.schema.columns[: len(self.found.names)]

    def path(self, split: str) -> Path:
        return self.folder / f"{split}.arrow"


def stored_rows(found: Layout, folder: Path) -> dict[str, Any]:
    """Write the file of every split into a folder; what is known of them.

    Raises `ValueError` naming the place of what cannot be read, and for too little data.
    """
    schema, known = found.schema, LabelNumbers()
    left = {split: Counter[str]() for split in found.splits}
    store = _Store(found, folder, {}, [], list(found.notes))
    for split, rows in found.splits.items():
        draws = split == "train" and _holds_out(found) and isinstance(schema.hold_out, ByHash)
        store.parts[split] = written(
            rows, store.path(split), schema, store.columns, draws, known, left[split]
        )
    store.labels = list(known.numbers)
    require_few(store.labels, found)
    counts = _respell(store)
    _require_rows(store, left)
    _divide(store)
    store.notes += _unlearned(store)
    seen = _seen(store)
    # What is left out of a file to validate on is not worth a word, but for files that are damaged.
    told = sum(
        (n if split != "valid" else unreadable_notes(n) for split, n in left.items()),
        Counter[str](),
    )
    return {
        "splits": {split: _size(store, part) for split, part in store.parts.items()},
        "notes": [
            *seen.told(found.names),
            *store.notes,
            *(f"{n:,} {what}" for what, n in sorted(told.items())),
        ],
        "left_out": dict(told),
        "labels": sorted(counts, key=natural),
    }


def require_few(labels: Collection[str], found: Layout) -> None:
    """Raise `ValueError` for more different labels than anybody means."""
    if len(labels) > MAX_LABELS:
        raise ValueError(
            f"{found.names[found.schema.label or 0]} has more than {MAX_LABELS:,} different "
            "labels; say with --label which column is the label, or with --task what else to read "
            "the data as"
        )


def _holds_out(found: Layout) -> bool:
    return "valid" not in found.splits and not isinstance(found.schema.hold_out, ByTask)


def _respell(store: _Store) -> Counter[str]:
    """Give labels that differ in their spelling alone the same; how many there are of each."""
    found, place = store.found, store.found.schema.label
    numbers = np.arange(len(store.labels))
    each = sum(
        (np.bincount(part.labels, minlength=len(numbers)) for part in store.parts.values()),
        np.zeros(len(numbers), dtype=np.int64),
    )
    counts = Counter(dict(zip(store.labels, each.tolist(), strict=True)))
    if place is None:
        return counts
    changed, said = respelling(counts, found)
    store.notes += said
    if not changed:
        return counts
    known = LabelNumbers({label: number for number, label in enumerate(store.labels)})
    new_numbers = known.of(changed.get(label, label) for label in store.labels)
    table = np.array(new_numbers, dtype=np.int32)
    store.labels = list(known.numbers)
    for split, part in store.parts.items():
        new = replace(part, labels=table[part.labels])
        store.parts[split] = respelled(new, store.columns, place, store.labels)
    return counts


def _divide(store: _Store) -> None:
    """Hold out a part to validate on where none is given."""
    found, schema = store.found, store.found.schema
    if isinstance(schema.hold_out, ByTask):
        store.notes += [schema.hold_out.note] if len(found.splits) == 1 else []
    if not _holds_out(found):
        return
    train, path, where = store.parts["train"], store.path("valid"), where_of(found.splits["train"])
    if isinstance(schema.hold_out, AtEnd):
        both = ended(train, schema.hold_out.share, path, store.columns, where)
        note = f"the last {schema.hold_out.share:.0%} of the text is held out for validation"
    else:
        held, note = _held(found, train, where)
        both = divided(train, held, path, store.columns)
    rest = {split: part for split, part in store.parts.items() if split != "train"}
    store.parts = {"train": both[0], "valid": both[1], **rest}
    store.notes.append(note)


def _held(found: Layout, train: Written, where: str) -> tuple[np.ndarray, str]:
    """Which rows are held out, and what is to be said about it."""
    schema, draws = found.schema, train.draws
    if found.by_label and schema.divides_labels and len(draws):
        some = held_by_label(draws, train.labels)
        if some:
            share = "the same share of each label as far as possible"
            held = among(draws, np.sort(np.fromiter(some, dtype=np.uint64)))
            return held, f"held out for validation by their hash, {share}"
        alike = len(np.unique(draws)) <= len(np.unique(train.labels))
        if len(draws) >= LEAST_COPIES and alike:
            return copies_held(draws), (
                "the examples of a label are all alike, so that copies of them are held out for "
                "validation: what it measures is only whether they were learned"
            )
    roles = ", ".join(column.name for column in schema.required)
    held = held_by_hash(draws, f"{where}, read as {schema.task} ({roles})")
    first_line = isinstance(schema.hold_out, ByHash) and schema.hold_out.first_line
    by = f"the hash of how the {schema.columns[0].name} begins" if first_line else "their hash"
    return held, f"{held.sum():,} of the examples are held out for validation, by {by}"


def _unlearned(store: _Store) -> Iterator[str]:
    """Labels of other parts that no example to train on has."""
    learned = np.unique(store.parts["train"].labels)
    for split, part in store.parts.items():
        new = np.setdiff1d(part.labels, learned)
        if len(new) and len(learned):
            named = ", ".join(one_line(store.labels[n], LABEL_SHOWN) for n in new[:NAMED])
            rest = ", ..." if len(new) > NAMED else ""
            yield f"no training example has the label of some {split} examples: {named}{rest}"


def _require_rows(store: _Store, left: dict[str, Counter[str]]) -> None:
    for split, part in store.parts.items():
        if not part.size.rows:
            files = store.found.splits[split].files
            names = " and ".join(map(str, files[:NAMED])) + (" and others" * (len(files) > NAMED))
            lack = "every one of them is empty" if left[split] else "there is no data in it"
            if unreadable_notes(left[split]):
                lack = "; ".join(f"{n:,} {what}" for what, n in left[split].items())
            raise ValueError(f"{names}: no usable line; {lack}")


def _seen(store: _Store) -> Seen:
    """What the rows of all splits ask and answer."""
    seen = Seen(store.found.schema)
    for split, part in store.parts.items():
        if len(part.asked):
            seen.add_asked(split, part.asked, part.labels)
    train = store.parts["train"]
    if len(train.labels) and seen.answer == store.found.schema.label:
        seen.add_labels(label_counts(train, store.labels))
    elif seen.answer is not None:
        seen.add_answers(column_of(train, seen.answer))
    return seen


def _size(store: _Store, part: Written) -> dict[str, int]:
    size = dict(vars(part.size))
    if store.found.schema.unit == "characters":
        size["characters"] = sum(len(str(text)) for text in column_of(part, 0))
    return size
