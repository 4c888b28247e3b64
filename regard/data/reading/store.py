"""A corpus on disk: written once, found again while the data is the same."""

import os
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from regard._io.faults import writing
from regard._io.leftovers import remove_leftovers, temporary_name
from regard._io.vouched import vouch, vouched
from regard.data.reading.arrow import StoredSplits
from regard.data.reading.corpus import Corpus, Read, describe_corpus
from regard.data.reading.held_out import streamed_sides
from regard.data.reading.natural import natural
from regard.data.reading.request import Layout
from regard.data.reading.stored_rows import require_few, stored_rows
from regard.data.reading.survey import labelled
from regard.data.schema import ByTask

CORPUS_FORMAT = 6
ENTRY = "corpus.json"


def stored_corpus(
    found: Layout, folder: Path, digest: str, files: tuple[Read, ...], encoding: str
) -> Corpus:
    """The corpus in its place under `folder`, written there if it is not there yet.

    Raises `ValueError` naming the place of what cannot be read.
    """
    kinds = [(column.name, column.kind.value) for column in found.schema.columns]
    rules = (encoding, found.merged, found.by_label, found.known, found.readable)
    read_as = (found.names, found.columns, found.notes, rules)
    known = (CORPUS_FORMAT, digest, found.schema.task, kinds, *read_as)
    place = folder / sha256(repr(known).encode()).hexdigest()[:32]
    entry = _stored(place)
    if entry is None:
        with writing(place.parent):
            entry = _store(found, place)
    corpus = replace(
        _loaded(found, place, digest, entry),
        files=files,
        columns=found.columns,
        encoding=found.encoding,
    )
    corpus.check()
    return corpus


def streamed(found: Layout) -> tuple[Layout, tuple[str, ...]]:
    """The same with labels of one spelling and a part to validate on; and the labels, sorted."""
    found, counts = labelled(found)
    require_few(counts or (), found)
    if "valid" not in found.splits and not isinstance(found.schema.hold_out, ByTask):
        both, note = streamed_sides(found.splits["train"], found.schema)
        rest = {split: rows for split, rows in found.splits.items() if split != "train"}
        found = replace(found, splits={**both, **rest}, notes=(*found.notes, note))
    return found, tuple(sorted(counts or (), key=natural))


def _store(found: Layout, place: Path) -> dict[str, Any]:
    """Write every split into a new folder, which gets its name when all of it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place.parent)
    work = Path(mkdtemp(".tmp", temporary_name("reading").removesuffix("tmp"), place.parent))
    try:
        entry = stored_rows(found, work)
        vouch(work, ENTRY, entry)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(work, place)
        return entry
    finally:
        shutil.rmtree(work, ignore_errors=True)


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
    description = describe_corpus(
        found.schema, found.names, counts, entry["notes"], examples, found.absent
    )
    return Corpus(
        found.schema,
        splits,
        found.names,
        description,
        digest,
        tuple(entry["labels"]),
        left_out=entry["left_out"],
    )
