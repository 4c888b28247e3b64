"""Encoded examples, in memory-mapped files that may be larger than memory."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Shaped

from regard._io.files import read_json_file, write_whole
from regard.data.encoding.ragged import Ragged
from regard.data.reading.arrow import in_batches


@runtime_checkable
class EncodesText(Protocol):
    """An encoder of texts: a `Tokenizer`, or a wrapper of one."""

    def encode(self, texts: Sequence[str]) -> Ragged: ...


@runtime_checkable
class CutsText(Protocol):
    """An encoder of texts that keeps the end of each when truncating it."""

    def cut(self, rows: Ragged, longest: int) -> Ragged: ...


@runtime_checkable
class ScalesNumbers(Protocol):
    """A scaler of the numbers of a column for training."""

    def scaled(self, numbers: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class NumbersLists(Protocol):
    """An encoder of the several values in each cell of a column."""

    def members(self, cells: Sequence[str]) -> Ragged: ...


Reader = EncodesText | ScalesNumbers | NumbersLists | Sequence[str]
"""The encoder of a column: a coder, a scale, or the labels in order of their indices."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The encoded rows of a split: a `Ragged` for each text column, one number for others.

    A column of lists is a `Ragged` in `lists`, which is never truncated.

    `lengths[n, c]` is the length of text column `c` of row `n`. `rows[n]` is its row in the data,
    since rows that are too long may be missing: `dropped` were dropped, `cut` were truncated.
    """

    columns: tuple[Ragged, ...]
    lengths: Int[np.ndarray, "n columns"]
    labels: Shaped[np.ndarray, " labels"]
    rows: Int[np.ndarray, " n"]
    dropped: int
    cut: int
    lists: tuple[Ragged, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> tuple[Ragged, ...]:
        """These rows, one `Ragged` per text column."""
        return tuple(column.take(rows) for column in self.columns)


def encoded(
    rows: Sequence[Mapping[str, Any]], readers: Mapping[str, Reader], max_length: int | None = None
) -> Examples:
    """Encode some rows in memory; those with more than `max_length` tokens are dropped.

    Raises `ValueError` as `encode_examples`.
    """
    columns = {name: [row[name] for row in rows] for name in readers}
    texts = [r.encode(columns[n]) for n, r in readers.items() if isinstance(r, EncodesText)]
    lengths = np.stack([text.lengths for text in texts], axis=1).astype(np.int32)
    kept = np.flatnonzero(lengths.max(1) <= (max_length or np.inf))
    if not len(kept):
        raise ValueError(f"none of {len(rows):,} examples has at most {max_length} tokens")
    lists = [r.members(columns[n]) for n, r in readers.items() if isinstance(r, NumbersLists)]
    labels = [
        _numbers(columns[n], n, r)
        for n, r in readers.items()
        if not isinstance(r, (EncodesText, NumbersLists))
    ]
    return Examples(
        columns=tuple(text.take(kept) for text in texts),
        lengths=lengths[kept],
        labels=labels[0][kept] if labels else np.zeros(0, dtype=np.int32),
        rows=kept,
        dropped=len(rows) - len(kept),
        cut=0,
        lists=tuple(each.take(kept) for each in lists),
    )


def encode_examples(
    dataset: Any,
    readers: Mapping[str, Reader],
    path: Path,
    max_length: int | None = None,
    longer: str = "drop",
    open_labels: bool = False,
) -> Examples:
    """Encode these columns into the folder `path` and open it.

    A row with a text of more than `max_length` tokens is dropped, or with `longer="cut"` its texts
    are truncated. A few thousand rows are in memory at a time. `path` is replaced.

    Raises `ValueError` for an unknown label, and when no row is left. With `open_labels` an unknown
    one is -1.
    """
    if longer not in ("drop", "cut"):
        raise ValueError(f"longer must be 'drop' or 'cut', got {longer!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".encoding-", dir=path.parent))
    try:
        with _Writer(work, readers, max_length, longer, open_labels) as writer:
            for batch in in_batches(dataset):
                writer.add(batch)
        if not writer.entry["rows"]:
            raise ValueError(
                f"none of {len(dataset):,} examples has at most {max_length} tokens; "
                "allow longer ones, or cut them"
            )
        write_whole(work / "examples.json", json.dumps(writer.entry).encode())
        shutil.rmtree(path, ignore_errors=True)
        os.replace(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return load_examples(path)


def load_examples(path: Path) -> Examples:
    """Open what `encode_examples` wrote; raises `ValueError` when it is incomplete."""
    try:
        entry = read_json_file(path / "examples.json")
        sizes: dict[str, int] = entry["bytes"]
        whole = all((path / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} holds no encoded examples: {error}") from None
    if not whole:
        raise ValueError(f"{path} is damaged: a file has lost or gained bytes; remove the folder")
    texts = [name.removesuffix(".values") for name in sizes if name.endswith(".values")]
    lengths = [_mapped(path / f"{name}.lengths") for name in texts]
    columns = tuple(
        _ragged(path / f"{name}.values", each) for name, each in zip(texts, lengths, strict=True)
    )
    lists = tuple(
        _ragged(path / name, _mapped(path / name.replace(".members", ".counts")))
        for name in sizes
        if name.endswith(".members")
    )
    dtypes = {".labels": np.int32, ".numbers": np.float32}
    labels = [
        _mapped(path / name, dtypes[suffix])
        for name in sizes
        if (suffix := Path(name).suffix) in dtypes
    ]
    return Examples(
        columns=columns,
        lengths=np.stack(lengths, axis=1),
        labels=np.array(labels[0]) if labels else np.zeros(0, dtype=np.int32),
        rows=_mapped(path / "rows", np.int64),
        dropped=entry["dropped"],
        cut=entry["cut"],
        lists=lists,
    )


class _Writer:
    """The files of a folder of examples, while they grow."""

    def __init__(
        self,
        folder: Path,
        readers: Mapping[str, Reader],
        max_length: int | None,
        longer: str,
        open_labels: bool,
    ) -> None:
        self._open = open_labels
        self._folder, self._readers = folder, readers
        self._limit, self._cuts = max_length, longer == "cut"
        self._files: dict[str, BinaryIO] = {}
        self._read = 0
        self.entry: dict[str, Any] = {"rows": 0, "dropped": 0, "cut": 0, "bytes": {}}

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        for name, file in self._files.items():
            self.entry["bytes"][name] = file.tell()
            file.close()

    def add(self, batch: Mapping[str, list[Any]]) -> None:
        """Write the next rows of the data."""
        texts = {
            n: r.encode(batch[n]) for n, r in self._readers.items() if isinstance(r, EncodesText)
        }
        count = len(next(iter(batch.values())))
        longest = np.max([text.lengths for text in texts.values()], axis=0)
        over = longest > (self._limit or np.inf)
        kept = np.arange(count) if self._cuts else np.flatnonzero(~over)
        self.entry["rows"] += len(kept)
        self.entry["cut" if self._cuts else "dropped"] += int(over.sum())
        self._write("rows", (kept + self._read).astype("<i8"))
        self._read += count
        for name, text in texts.items():
            text = text.take(kept)
            if self._cuts and self._limit:
                text = _cut(self._readers[name], text, self._limit)
            self._write(f"{name}.values", text.values.astype("<i4"))
            self._write(f"{name}.lengths", text.lengths.astype("<i4"))
        for name, reader in self._readers.items():
            if isinstance(reader, NumbersLists):
                members = reader.members([batch[name][row] for row in kept])
                self._write(f"{name}.members", members.values.astype("<i4"))
                self._write(f"{name}.counts", members.lengths.astype("<i4"))
            elif not isinstance(reader, EncodesText):
                chosen = [batch[name][row] for row in kept]
                suffix = "numbers" if isinstance(reader, ScalesNumbers) else "labels"
                self._write(f"{name}.{suffix}", _numbers(chosen, name, reader, self._open))

    def _write(self, name: str, values: np.ndarray) -> None:
        if name not in self._files:
            self._files[name] = open(self._folder / name, "wb")
        self._files[name].write(values.tobytes())


def _cut(reader: Reader, text: Ragged, longest: int) -> Ragged:
    return reader.cut(text, longest) if isinstance(reader, CutsText) else text.cut(longest)


def _numbers(labels: Sequence[Any], column: str, known: Any, is_open: bool = False) -> np.ndarray:
    if isinstance(known, ScalesNumbers):
        return known.scaled(np.array(labels, dtype=np.float64)).astype("<f4")
    places = {label: place for place, label in enumerate(known)}
    for label in labels:
        if label not in places and not is_open:
            raise ValueError(
                f"the {column} {label!r} is not among the {len(places)} that are known: "
                f"{', '.join(list(places)[:10])}"
            )
    return np.array([places.get(label, -1) for label in labels], dtype="<i4")


def _ragged(path: Path, lengths: np.ndarray) -> Ragged:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, dtype=np.int64, out=offsets[1:])
    return Ragged(_mapped(path), offsets)


def _mapped(path: Path, dtype: Any = np.int32) -> np.ndarray:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)
