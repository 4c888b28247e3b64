"""Data sets of the Hugging Face hub, the only thing here that asks the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.json_tables import flattened
from regard.data.reading.parquet_tables import named_classes
from regard.data.reading.request import DataRequest, Layout, split_named
from regard.data.reading.tabled import tabled
from regard.data.reading.tables import PlacedRow
from regard.data.schema import SPLITS

HUB = "hf:"


@dataclass(frozen=True, eq=False)
class HubTable:
    """A `datasets` data set as a table; a class's number becomes its name."""

    dataset: Any
    name: str
    path: Path | None = None
    said: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(flattened(next(iter(self.dataset), {})))

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        features = self.dataset.features or {}
        classes = {n: tuple(f.names) for n, f in features.items() if hasattr(f, "names")}
        for number, entry in enumerate(self.dataset, 1):
            yield f"{self.name} row {number}", named_classes(flattened(entry), names, classes)


def hub_layout(path: str, request: DataRequest, cache: Path | None, streaming: bool) -> Layout:
    """How `hf:owner/name[:config]` is read.

    Raises `ValueError` when it cannot be had, as without a network.
    """
    name, _, config = path.removeprefix(HUB).partition(":")
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
    parts = {split_named(split): _undecoded(loaded[split]) for split in reversed(list(loaded))}
    if "train" not in parts:
        raise ValueError(f"{path} has no part called train, only {', '.join(loaded)}")
    tables = {split: HubTable(parts[split], path) for split in SPLITS if split in parts}
    return tabled(tables, path, request)


def _undecoded(dataset: Any) -> Any:
    """The same with pictures as their bytes, which the package would decode in its own way."""
    image = extra("datasets").Image
    for name, feature in (getattr(dataset, "features", None) or {}).items():
        if isinstance(feature, image):
            dataset = dataset.cast_column(name, image(decode=False))
    return dataset
