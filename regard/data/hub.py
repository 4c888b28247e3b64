"""Data sets of the Hugging Face hub, the only thing here that asks the network."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard.data.columns import chosen
from regard.data.extra import extra
from regard.data.layout import Asked, Layout, split_of
from regard.data.rows import EMPTY, Rows
from regard.data.tables import as_text, flattened

PREFIX = "hf:"


@dataclass(frozen=True, eq=False)
class HubRows:
    """Columns of a `datasets` data set; a class's number becomes its name."""

    dataset: Any
    columns: tuple[str, ...]
    task: str

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        features = self.dataset.features or {}
        classes = [getattr(features.get(column), "names", None) for column in self.columns]
        for number, entry in enumerate(self.dataset, 1):
            flat = flattened(entry)
            values = [flat.get(column) for column in self.columns]
            row = tuple(
                names[value]
                if names and isinstance(value, int) and 0 <= value < len(names)
                else as_text(value, f"row {number}: {column!r}")
                for value, names, column in zip(values, classes, self.columns, strict=True)
            )
            if self.task == "language_model":
                yield (row[0] if row[0].endswith("\n") else row[0] + "\n",)
            elif all(text.strip() for text in row):
                yield row
            else:
                notes[EMPTY] += 1


def hub_layout(path: str, asked: Asked, cache: Path | None, streaming: bool) -> Layout:
    """How `hf:owner/name[:config]` is read.

    Raises `ValueError` when it cannot be had, as without a network.
    """
    name, _, config = path.removeprefix(PREFIX).partition(":")
    package = extra("datasets")
    package.disable_progress_bars()
    where = str(cache / "hub") if cache else None
    try:
        loaded = package.load_dataset(name, config or None, streaming=streaming, cache_dir=where)
    except Exception as error:  # of a dozen kinds, from five packages
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise ValueError(
            f"{path} cannot be read: {reason} (hf: asks the network; a file or a folder on this "
            "machine is read without it)"
        ) from None
    parts = {split_of(split): loaded[split] for split in reversed(list(loaded))}
    if "train" not in parts:
        raise ValueError(f"{path} has no part called train, only {', '.join(loaded)}")
    first = parts["train"]
    names = tuple(flattened(next(iter(first), {})))

    def texts(columns: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
        return list(islice(HubRows(first, columns, "").read(Counter()), 1000))

    task, columns = chosen(
        _textual(first, names), texts, path, asked.task, asked.source, asked.target
    )
    splits: dict[str, Rows] = {
        split: HubRows(parts[split], columns, task)
        for split in ("train", "valid", "test")
        if split in parts
    }
    return Layout(task, columns, splits)


def _textual(dataset: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    entry = flattened(next(iter(dataset), {}))
    return tuple(name for name in names if isinstance(entry[name], (str, int)))
