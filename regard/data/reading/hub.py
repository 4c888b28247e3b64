"""Data sets of the Hugging Face hub, the only thing here that asks the network."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.asked import Asked, Layout, split_of
from regard.data.reading.cells import cell, columns_of, flattened
from regard.data.reading.columns import chosen
from regard.data.reading.layout import named
from regard.data.reading.rows import Rows, Tabled
from regard.data.reading.tables import Row

PREFIX = "hf:"


@dataclass(frozen=True, eq=False)
class HubTable:
    """A `datasets` data set as a table; a class's number becomes its name."""

    dataset: Any
    name: str
    path: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return columns_of(flattened(next(iter(self.dataset), {})))

    def rows(self, columns: tuple[str, ...], optional: Collection[str] = ()) -> Iterator[Row]:
        features = self.dataset.features or {}
        classes = [getattr(features.get(column), "names", None) for column in columns]
        for number, entry in enumerate(self.dataset, 1):
            where, flat = f"{self.name} row {number}", flattened(entry)
            values = [flat.get(column) for column in columns]
            yield (
                where,
                tuple(
                    names[value]
                    if names and isinstance(value, int) and 0 <= value < len(names)
                    else cell(value, f"{where}: {column!r}", column, column in optional)
                    for value, names, column in zip(values, classes, columns, strict=True)
                ),
            )


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
    first = HubTable(parts["train"], path)

    def texts(columns: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
        return list(islice(Tabled(first, columns, "").read(Counter()), 1000))

    task, columns = chosen(first.names, texts, path, asked.task, asked.source, asked.target)
    splits: dict[str, Rows] = {
        split: Tabled(HubTable(parts[split], path), columns, task)
        for split in ("train", "valid", "test")
        if split in parts
    }
    return Layout(task, named(columns, task), splits)
