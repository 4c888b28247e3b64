"""A corpus on disk: written once, found again while the data is the same."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from regard._io.faults import writing
from regard._io.leftovers import remove_leftovers, temporary_name
from regard._io.vouched import vouch, vouched
from regard.data.reading.arrow import ArrowWriter, StoredSplits
from regard.data.reading.corpus import Corpus, Read, describe_corpus
from regard.data.reading.held_out import HeldOut, SplitRow, hold_out, hold_out_labels
from regard.data.reading.natural import natural
from regard.data.reading.request import Layout
from regard.data.reading.seen import Seen
from regard.data.reading.survey import Survey, held_by_label, surveyed
from regard.data.schema import ByTask

CORPUS_FORMAT = 5
ENTRY = "corpus.json"
MAX_LABELS = 10_000
LEAST_COPIES = 100
"""Examples of which copies are held out, where no label has two texts."""


def stored_corpus(
    found: Layout, folder: Path, digest: str, files: tuple[Read, ...], encoding: str
) -> Corpus:
    """The corpus in its place under `folder`, written there if it is not there yet.

    Raises `ValueError` naming the place of what cannot be read.
    """
    kinds = [(column.name, column.kind.value) for column in found.schema.columns]
    rules = (encoding, found.merged, found.by_label, found.known)
    read_as = (found.names, found.columns, found.notes, rules)
    known = (CORPUS_FORMAT, digest, found.schema.task, kinds, *read_as)
    place = folder / sha256(repr(known).encode()).hexdigest()[:32]
    entry = _stored(place)
    if entry is None:
        with writing(place.parent):
            entry = _store(*with_validation(found), place)
    corpus = replace(
        _loaded(found, place, digest, entry),
        files=files,
        columns=found.columns,
        encoding=found.encoding,
    )
    corpus.check()
    return corpus


def with_validation(found: Layout, streaming: bool = False) -> tuple[Layout, Survey | None]:
    """The same with labels of one spelling and a part to validate on, held out where none is given.

    With it what was counted of the labels.
    """
    found, survey = surveyed(found)
    held = found.schema.hold_out
    if survey and len(survey.counts) > MAX_LABELS:
        raise ValueError(
            f"{found.names[found.schema.label or 0]} has more than {MAX_LABELS:,} different "
            "labels; say with --label which column is the label, or with --task what else to read "
            "the data as"
        )
    if isinstance(held, ByTask):
        notes = (held.note,) if len(found.splits) == 1 else ()
        return replace(found, notes=(*found.notes, *notes)), survey
    if "valid" in found.splits:
        return found, survey
    train = found.splits["train"]
    held_out = held_by_label(survey) if survey and survey.draws and not streaming else None
    if held_out or (held_out is not None and survey and len(survey.draws) >= LEAST_COPIES):
        division, note = hold_out_labels(train, held_out)
    else:
        division, note = hold_out(train, found.schema, streaming)
    rest = {split: rows for split, rows in found.splits.items() if split != "train"}
    both = {split: HeldOut(division, split) for split in ("train", "valid")}
    return replace(found, splits={**both, **rest}, notes=(*found.notes, note)), survey


def _store(found: Layout, survey: Survey | None, place: Path) -> dict[str, Any]:
    """Write every split into a new folder, which gets its name when all of it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place.parent)
    work = Path(mkdtemp(".tmp", temporary_name("reading").removesuffix("tmp"), place.parent))
    try:
        notes = {split: Counter[str]() for split in found.splits}
        seen = Seen(found.schema)
        with ExitStack() as files:
            writers = {
                split: files.enter_context(
                    ArrowWriter(work / f"{split}.arrow", found.schema.columns[: len(found.names)])
                )
                for split in found.splits
            }
            for split, row in _all_rows(found, notes):
                writers[split].add(row)
                seen.add(split, row)
        sizes = {split: writer.size for split, writer in writers.items()}
        for split, size in sizes.items():
            if not size.rows:
                names = " and ".join(str(path) for path in found.splits[split].files)
                lack = "every one of them is empty" if notes[split] else "there is no data in it"
                raise ValueError(f"{names}: no usable line; {lack}")
        # What is left out of a file to validate on is not worth a word.
        told = sum((notes[split] for split in notes if split != "valid"), Counter[str]())
        entry = {
            "splits": {split: vars(size) for split, size in sizes.items()},
            "notes": [
                *seen.told(found.names),
                *found.notes,
                *(f"{n:,} {what}" for what, n in sorted(told.items())),
            ],
            "left_out": dict(told),
            "labels": sorted(survey.counts, key=natural) if survey else [],
        }
        vouch(work, ENTRY, entry)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(work, place)
        return entry
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _all_rows(found: Layout, notes: dict[str, Counter[str]]) -> Iterator[SplitRow]:
    """The rows of every split; what is held out is told apart in one reading of the file."""
    for split, rows in found.splits.items():
        if not isinstance(rows, HeldOut):
            yield from ((split, row) for row in rows.read(notes[split]))
        elif split == "train":
            yield from rows.division.read(notes[split])


def _stored(place: Path) -> dict[str, Any] | None:
    """What an earlier call left there; None, to be made again, unless every byte is the same."""
    try:
        return vouched(place, ENTRY)
    except (OSError, ValueError):
        return None


def _loaded(found: Layout, place: Path, digest: str, entry: dict[str, Any]) -> Corpus:
    splits = StoredSplits({split: place / f"{split}.arrow" for split in entry["splits"]})
    unit = found.schema.unit
    counts = [f"{written[unit]:,} {split}" for split, written in entry["splits"].items()]
    counts[-1] += " characters" if unit == "characters" else " examples"
    examples = [tuple(row.values()) for row in splits.first(3)["train"]]
    description = describe_corpus(found.schema, found.names, counts, entry["notes"], examples)
    return Corpus(
        found.schema,
        splits,
        found.names,
        description,
        digest,
        tuple(entry["labels"]),
        left_out=entry["left_out"],
    )
