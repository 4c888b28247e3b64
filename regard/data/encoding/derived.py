"""Rows of which something is computed as they are read, a portion at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Batch = Mapping[str, list[Any]]
"""Some rows, column by column."""


@dataclass(frozen=True, eq=False)
class Derived:
    """The same rows, each portion of them changed by what takes it and the number of its first row.

    >>> class Rows(list):
    ...     def __getitem__(self, portion):
    ...         return {"word": super().__getitem__(portion)}
    >>> longer = Derived(Rows(["a", "b", "c"]), lambda some, at: {**some, "at": [at]})
    >>> len(longer), longer[1:3]
    (3, {'word': ['b', 'c'], 'at': [1]})
    """

    rows: Any
    change: Callable[[Batch, int], Batch]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, portion: slice) -> Batch:
        return self.change(self.rows[portion], portion.start)
