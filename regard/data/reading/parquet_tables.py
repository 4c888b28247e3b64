"""Tables that Arrow keeps: `.parquet`, and the folders of `datasets.Dataset.save_to_disk`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regard._io.extra import extra
from regard._io.files import read_json
from regard.data.reading.json_tables import flattened
from regard.data.reading.tables import PlacedRow

BATCH = 1000
PICTURES = "pictures"


@dataclass(frozen=True)
class Parquet:
    """Columns of whatever they hold, read in small batches."""

    path: Path
    names: tuple[str, ...]
    said: tuple[str, ...] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        number = 0
        with parquet_file(self.path) as file:
            roots = list(dict.fromkeys(name.split(".")[0] for name in names))
            kept = [name for name in roots if name in file.schema_arrow.names] or list(names)
            for batch in file.iter_batches(batch_size=BATCH, columns=kept):
                for entry in _entries(batch, f"{self.path} row {number + 1}"):
                    number += 1
                    flat = flattened(entry)
                    yield f"{self.path} row {number}", named_classes(flat, names, self.classes)


@dataclass(frozen=True)
class SavedDataset:
    """A folder that `Dataset.save_to_disk` wrote; a class's number becomes its name."""

    path: Path
    names: tuple[str, ...]
    classes: Mapping[str, Sequence[str]]
    said: tuple[str, ...] = ("saved by save_to_disk",)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        dataset, number = _loaded(self.path.parent), 0
        for batch in dataset.with_format("arrow").iter(BATCH):
            for entry in _entries(batch, f"{self.path.parent} row {number + 1}"):
                number += 1
                flat = flattened(entry)
                where = f"{self.path.parent} row {number}"
                yield where, named_classes(flat, names, self.classes)


@contextmanager
def parquet_file(path: Path) -> Iterator[Any]:
    """`pyarrow`'s file; raises `ValueError` where it, or what is read of it, is damaged."""
    arrow = extra("pyarrow")
    try:
        with extra("pyarrow.parquet").ParquetFile(path) as file:
            yield file
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a Parquet file that can be read: {error}") from None


def parquet(path: Path) -> Parquet:
    """Such a file; raises `ValueError` for one that cannot be read."""
    with parquet_file(path) as file:
        schema, first = file.schema_arrow, next(file.iter_batches(batch_size=1), None)
        rows = [] if first is None else _entries(first, f"{path} row 1")
        meta = dict(schema.metadata or {})
    if not rows:
        raise ValueError(f"{path} has no row")
    return Parquet(path, tuple(_names(schema, rows[0])), (), _classes_in(meta))


def saved_dataset(folder: Path) -> SavedDataset:
    """The table in such a folder; raises `ValueError` for one that cannot be read."""
    dataset = _loaded(folder)
    if not len(dataset):
        raise ValueError(f"{folder} has no row")
    features = dataset.features or {}
    first = dataset.with_format("arrow")[:1].to_pylist()[0]
    classes = {n: tuple(f.names) for n, f in features.items() if hasattr(f, "names")}
    return SavedDataset(folder / "state.json", tuple(flattened(first)), classes)


def named_classes(
    flat: Mapping[str, Any], names: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> tuple[Any, ...]:
    """The values of these columns, the number of a class as its name.

    >>> named_classes({"label": 1, "text": "so"}, ["label"], {"label": ["bad", "good"]})
    ('good',)
    """
    row = []
    for name in names:
        value, known = flat.get(name), classes.get(name)
        if known and isinstance(value, list):
            value = [_class_of(each, known) for each in value]
        row.append(_class_of(value, known) if known else value)
    return tuple(row)


def _entries(batch: Any, where: str) -> list[dict[str, Any]]:
    """The rows of a batch; raises `ValueError` for texts that are damaged."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} or one behind it is damaged: {error}") from None


def _class_of(value: Any, known: Sequence[str]) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return known[value] if whole and 0 <= value < len(known) else value


def _names(schema: Any, first: Mapping[str, Any]) -> Iterator[str]:
    """The columns, those within structs by name; lists of structs as far as the first row tells."""
    types = extra("pyarrow").types
    for column in schema:
        if types.is_struct(column.type) and not _holds_picture(column.type):
            yield from (inner.name for inner in column.flatten())
        elif types.is_list(column.type) and types.is_struct(column.type.value_type):
            yield from flattened({column.name: first[column.name]})
        else:
            yield column.name


def _holds_picture(kind: Any) -> bool:
    return any(inner.name == "bytes" for inner in kind)


def _classes_in(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """The names of classes that `datasets` keeps beside a table."""
    try:
        features = read_json(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    found = {}
    for name, feature in features.items() if isinstance(features, dict) else ():
        kind = feature.get("feature", feature) if isinstance(feature, dict) else {}
        names = kind.get("names") if isinstance(kind, dict) else None
        if isinstance(names, list) and all(isinstance(each, str) for each in names):
            found[name] = tuple(names)
    return found


def _loaded(folder: Path) -> Any:
    try:
        return extra("datasets").load_from_disk(str(folder))
    except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{folder} was not saved whole by save_to_disk: {reason}") from None
