"""The data of a run as of its start, so that it can resume if the data has changed.

The rows are next to their encoded form in `tokens/rows/`. On most disks they take no space: they
are hard links to the files of the data cache.
"""

import json
import os
import shutil
from hashlib import file_digest
from pathlib import Path
from typing import Any

from regard._io.files import read_json, write_whole
from regard.data.reading.arrow import open_arrow
from regard.data.reading.corpus import Corpus
from regard.errors import UsageError

ROWS, ABOUT = "rows", "corpus.json"


def keep_rows(corpus: Corpus, place: Path) -> None:
    """Keep the rows of a corpus in a folder, except those of a stream, which are in no file."""
    files = {split: path for split, rows in corpus.splits.items() if (path := _file_of(rows))}
    if len(files) < len(corpus.splits):
        return
    folder = place / ROWS
    if any(Path(path).parent == folder for path in files.values()):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    digests = {}
    for split, path in files.items():
        kept = folder / f"{split}.arrow"
        try:
            os.link(path, kept)
        except OSError:
            shutil.copyfile(path, kept)
        digests[split] = _digest(kept)
    about = {
        "task": corpus.task,
        "names": corpus.names,
        "labels": corpus.labels,
        "columns": corpus.columns,
        "encoding": corpus.encoding,
        "description": corpus.description,
        "fingerprint": corpus.fingerprint,
        "digests": digests,
    }
    write_whole(folder / ABOUT, json.dumps(about, ensure_ascii=False).encode())


def has_rows(place: Path) -> bool:
    """Whether a folder has the rows."""
    return (place / ROWS / ABOUT).is_file()


def kept_corpus(place: Path, schema: Any) -> Corpus:
    """The corpus kept in a folder; raises `UsageError` if it is missing or incomplete."""
    folder = place / ROWS
    if not has_rows(place):
        raise UsageError(
            f"{place.parent} has kept no copy of its data; put the data back as it was, or begin a "
            "new run (--resume never)"
        )
    try:
        about = read_json((folder / ABOUT).read_bytes())
        for split, digest in about["digests"].items():
            if _digest(folder / f"{split}.arrow") != digest:
                raise ValueError(f"{split}.arrow has changed")
        return Corpus(
            schema,
            {split: open_arrow(folder / f"{split}.arrow") for split in about["digests"]},
            tuple(about["names"]),
            f"{about['description']}\n(the copy that the run began with)",
            about["fingerprint"],
            tuple(about["labels"]),
            columns=tuple(about["columns"]),
            encoding=about["encoding"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the copy of the data in {folder} is damaged: {error}; put the data back as it was, "
            "or begin a new run (--resume never)"
        ) from None


def _file_of(rows: Any) -> str | None:
    """The one file in which a split stands."""
    files = getattr(rows, "cache_files", None) or []
    return files[0]["filename"] if len(files) == 1 else None


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
