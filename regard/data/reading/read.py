"""From a path that a user names to a corpus."""

import json
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard._io.files import read_json, write_whole
from regard.data.reading.arrow import opened, write
from regard.data.reading.asked import Asked, Layout
from regard.data.reading.columns import COLUMNS, LABEL
from regard.data.reading.corpus import Corpus, Read, fingerprint, told
from regard.data.reading.held_out import held_out
from regard.data.reading.hub import PREFIX, hub_layout
from regard.data.reading.layout import layout
from regard.data.reading.natural import natural
from regard.data.reading.rows import EMPTY, Rows
from regard.data.synthetic.made import PREFIX as MADE
from regard.data.synthetic.made import made_layout

FORMAT = 2
MAX_LABELS = 10_000
STREAMED = ("translate", "classify", "match", "language_model")


def read(
    path: str,
    task: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    encoding: str = "utf-8",
    cache: Path | None = None,
    streaming: bool = False,
) -> Corpus:
    """Read a file, a folder, `hf:owner/name[:config]` of the Hugging Face hub, or `made:NAME`.

    What is not said is inferred: the task from the files' names and columns, the direction (of
    columns as they stand; of files English first, else by the alphabet). `source` and `target` are
    endings of files or names of columns: the two languages, or the text and its label. Without a
    file to validate on, a part is held out.

    The rows go into Arrow files in `cache`, where the next call finds them while the files are the
    same; without `cache` they are gone with the corpus. With `streaming` nothing is stored.

    Raises `ValueError` that names file and line for whatever cannot be read or can be read in
    several ways, `FileNotFoundError` with the nearest names, `ImportError` without the extra.
    """
    asked = Asked(task, source, target, encoding)
    if path.startswith(PREFIX):
        found = hub_layout(path, asked, cache, streaming)
    elif path.startswith(MADE):
        found = made_layout(path, asked.task)
    else:
        found = layout(Path(path), asked)
    files = tuple(
        Read.of(p) for p in dict.fromkeys(p for r in found.splits.values() for p in r.files)
    )
    digest = fingerprint(files) if files else _digest(path, found, streaming)
    if streaming:
        return _streamed(found, files, digest)
    if cache:
        return _kept(found, cache, digest, files, encoding)
    folder = Path(tempfile.mkdtemp(prefix="regard-"))
    try:
        corpus = _kept(found, folder, digest, files, encoding)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(corpus, shutil.rmtree, folder, ignore_errors=True)
    return corpus


def _kept(
    found: Layout, folder: Path, digest: str, files: tuple[Read, ...], encoding: str
) -> Corpus:
    """The corpus in its place under `folder`, written there if it is not there yet."""
    key = sha256(f"{FORMAT} {digest} {found.task} {found.names} {encoding}".encode()).hexdigest()
    place = folder / key[:32]
    if _stored(place) is None:
        _store(_with_valid(found, False), place)
    corpus = replace(_loaded(found, place, digest), files=files)
    corpus.check()
    return corpus


def _with_valid(found: Layout, streaming: bool) -> Layout:
    # Of recommendations each user's last ones are held out, by the task itself.
    if found.task == "recommend" and len(found.splits) == 1:
        note = "each user's last item is for the test, the one before for validation"
        return replace(found, notes=(*found.notes, note))
    if "valid" in found.splits or found.task == "recommend":
        return found
    train, valid, note = held_out(found.splits["train"], found.task, streaming)
    rest = {split: rows for split, rows in found.splits.items() if split != "train"}
    splits = {"train": train, "valid": valid, **rest}
    return replace(found, splits=splits, notes=(*found.notes, note))


def _store(found: Layout, place: Path) -> None:
    """Write every split into a new folder, which gets its name when all of it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".reading-", dir=place.parent))
    try:
        entry: dict[str, Any] = {"splits": {}, "notes": list(found.notes), "labels": []}
        notes: Counter[str] = Counter()
        labels: set[str] = set()
        columns = COLUMNS[found.task][: len(found.names)]
        for split, rows in found.splits.items():
            seen = _watched(rows.read(notes if split != "valid" else Counter()), found, labels)
            written = write(work / f"{split}.arrow", columns, seen)
            if not written.rows:
                names = " and ".join(str(path) for path in rows.files)
                lack = "every one of them is empty" if notes[EMPTY] else "there is no data in it"
                raise ValueError(f"{names}: no usable line; {lack}")
            entry["splits"][split] = vars(written)
        entry["notes"] += [f"{count:,} {what}" for what, count in sorted(notes.items())]
        entry["labels"] = sorted(labels, key=natural)
        write_whole(work / "corpus.json", json.dumps(entry).encode())
        shutil.rmtree(place, ignore_errors=True)
        os.replace(work, place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _watched(
    rows: Iterator[tuple[str, ...]], found: Layout, labels: set[str]
) -> Iterator[tuple[str, ...]]:
    place = LABEL.get(found.task)
    for row in rows:
        if place is not None:
            labels.add(row[place])
            if len(labels) > MAX_LABELS:
                raise ValueError(
                    f"{found.names[place]} has more than {MAX_LABELS:,} different labels; say with "
                    "--target which column is the label, or --task translate"
                )
        yield row


def _stored(place: Path) -> dict[str, Any] | None:
    """What an earlier call left there, if all of it is still there."""
    try:
        entry = read_json((place / "corpus.json").read_bytes())
        sizes = {s: (place / f"{s}.arrow").stat().st_size for s in entry["splits"]}
        whole = all(sizes[s] == written["bytes"] for s, written in entry["splits"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry if whole and "train" in sizes else None


def _loaded(found: Layout, place: Path, digest: str) -> Corpus:
    entry = _stored(place)
    if entry is None:
        raise OSError(f"{place} was changed while it was being read")
    splits = {split: opened(place / f"{split}.arrow") for split in entry["splits"]}
    unit = "characters" if found.task == "language_model" else "rows"
    counts = [f"{written[unit]:,} {split}" for split, written in entry["splits"].items()]
    counts[-1] += " characters" if unit == "characters" else " examples"
    examples = [tuple(row.values()) for row in islice(splits["train"], 3)]
    says = told(found.task, found.names, counts, entry["notes"], examples)
    return Corpus(found.task, splits, found.names, says, digest, tuple(entry["labels"]))


def _streamed(found: Layout, files: tuple[Read, ...], digest: str) -> Corpus:
    if found.task not in STREAMED:
        raise ValueError(f"--streaming is for {', '.join(STREAMED)}; {found.task} is read whole")
    found = _with_valid(found, True)
    package = extra("datasets")
    columns = COLUMNS[found.task]
    splits = {
        split: package.IterableDataset.from_generator(
            _rows, gen_kwargs={"rows": rows, "columns": columns}
        )
        for split, rows in found.splits.items()
    }
    labels: set[str] = set()
    train = _watched(found.splits["train"].read(Counter()), found, labels)
    examples = list(islice(train, 3))
    if found.task in LABEL:
        for _ in train:
            pass
    says = told(found.task, found.names, ["streamed"], found.notes, examples)
    named = tuple(sorted(labels, key=natural))
    return Corpus(found.task, splits, found.names, says, digest, named, files)


def _rows(rows: Rows, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for row in rows.read(Counter()):
        yield dict(zip(columns, row, strict=True))


def _digest(path: str, found: Layout, streaming: bool) -> str:
    """The digest of what is not in files: of the content, or when it streams, of the name."""
    whole = sha256(path.encode())
    for rows in () if streaming else found.splits.values():
        for row in rows.read(Counter()):
            whole.update("\0".join(row).encode() + b"\1")
    return whole.hexdigest()
