"""Data sets of the Hugging Face hub, the only thing here that asks the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard.data.reading.cells import cell, columns_of, flattened
from regard.data.reading.columns import choose_columns
from regard.data.reading.layout import PEEKED
from regard.data.reading.lexicon import Lexicon
from regard.data.reading.request import DataRequest, Layout, split_named
from regard.data.reading.rows import RowSource, Tabled
from regard.data.reading.tables import PlacedRow
from regard.data.schema import SPLITS, Cell, Column

HUB = "hf:"


@dataclass(frozen=True, eq=False)
class HubTable:
    """A `datasets` data set as a table; a class's number becomes its name."""

    dataset: Any
    name: str
    lexicon: Lexicon
    path: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return columns_of(flattened(next(iter(self.dataset), {})), self.lexicon)

    def rows(self, names: Sequence[str], roles: Sequence[Column] = ()) -> Iterator[PlacedRow]:
        roles, features = roles or [Column(name) for name in names], self.dataset.features or {}
        classes = [getattr(features.get(name), "names", None) for name in names]
        chosen = list(zip(names, roles, classes, strict=True))
        for number, entry in enumerate(self.dataset, 1):
            where, flat = f"{self.name} row {number}", flattened(entry)
            cells = (
                self._cell(flat.get(name), where, name, role, known) for name, role, known in chosen
            )
            yield where, tuple(cells)

    def _cell(self, value: Any, where: str, name: str, role: Column, classes: Any) -> Cell:
        if classes and isinstance(value, int) and 0 <= value < len(classes):
            return str(classes[value])
        return cell(value, f"{where}: {name!r}", name, role, self.lexicon)


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
    parts = {split_named(split): loaded[split] for split in reversed(list(loaded))}
    if "train" not in parts:
        raise ValueError(f"{path} has no part called train, only {', '.join(loaded)}")
    first = HubTable(parts["train"], path, request.lexicon)

    def first_rows(columns: tuple[str, ...]) -> Sequence[tuple[Cell, ...]]:
        return [row for _, row in islice(first.rows(columns), PEEKED)]

    schema, columns = choose_columns(first.names, first_rows, path, request)
    splits: dict[str, RowSource] = {
        split: Tabled(HubTable(parts[split], path, request.lexicon), columns, schema)
        for split in SPLITS
        if split in parts
    }
    return Layout(schema, schema.names_of(columns), splits)
