"""Synthetic data as a corpus: `synthetic:NAME`."""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from regard.data.reading.request import DataRequest, Layout
from regard.data.reading.rows import RowSource
from regard.data.schema import Cell, Schema
from regard.data.synthetic.data_sets import DATA, SyntheticData

SYNTHETIC, MADE = "synthetic:", "made:"
"""How such data is named, and how it was until 0.2."""


@dataclass(frozen=True)
class GeneratedRows:
    """The rows of one split, the same each time they are read."""

    data: SyntheticData
    split: str
    seed: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, notes: Counter[str]) -> Iterator[tuple[Cell, ...]]:
        return self.data.rows(self.split, self.seed)


def is_synthetic(path: str) -> bool:
    """Whether a path names synthetic data.

    >>> is_synthetic("synthetic:opinions"), is_synthetic("opinions.csv")
    (True, False)
    """
    return path.startswith((SYNTHETIC, MADE))


def generated_layout(path: str, request: DataRequest) -> Layout:
    """How `synthetic:NAME` is read: as the task whose columns have the same roles.

    Raises `ValueError` for a name that is not there, and a task that reads other columns.
    """
    prefix, _, name = path.partition(":")
    if name not in DATA:
        near = get_close_matches(name, DATA, 3, 0.4) or list(DATA)
        known = ", ".join(SYNTHETIC + each for each in near)
        raise ValueError(f"no synthetic data is called {name!r}; there is {known}")
    notes = ["synthetic, generated on first use, seed 0"]
    if prefix + ":" == MADE:
        renamed = f"{path} is now called {SYNTHETIC}{name}; the old name goes with the next release"
        warnings.warn(renamed, DeprecationWarning, stacklevel=3)
        notes.append(renamed)
    data = DATA[name]
    # Its columns tell of which task it is, of one too that files cannot tell.
    asked = [schema for schema in request.schemas if request.task in (None, schema.task)]
    schema = next((schema for schema in asked if _reads(schema, data.columns)), None)
    if schema is None:
        raise ValueError(
            f"{path} has the columns {', '.join(data.columns)}, which are not those of "
            f"{' or '.join(each.task for each in asked)}"
        )
    splits: dict[str, RowSource] = {split: GeneratedRows(data, split) for split in data.sizes}
    return Layout(schema, data.columns, splits, tuple(notes))


def _reads(schema: Schema, columns: tuple[str, ...]) -> bool:
    """Whether these are the columns of a task, with an extra one or without."""
    names = tuple(column.name for column in schema.columns)
    needed = tuple(column.name for column in schema.columns if not column.extra)
    return columns in (names, needed)
