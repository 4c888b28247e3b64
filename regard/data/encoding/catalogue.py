"""The items that can be recommended, with their features."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from regard._io.files import read_json_file, write_whole
from regard._printable import shown

NO_ITEM, UNKNOWN_ITEM = 0, 1
SPECIAL_ITEMS = ("<pad>", "<unk>")
MAX_ITEMS = 1_000_000


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items by id, most frequent first, after `<pad>` and `<unk>`.

    Args:
        items: their names.
        features: for each item a number in each column of side features (its category, its brand
            ...), 0 where it is not known. The numbers run through all columns.
        values: the names of these numbers, `column=value`, the first of them for 0.

    Raises `ValueError` for names that are empty or duplicated, and tables of another size.

    >>> catalogue = Catalogue.build({"bread": 2, "tea": 5}, {"tea": ("drink",)})
    >>> catalogue.encode(["bread", "wine"]), catalogue.decode([2])
    ([3, 1], ['tea'])
    >>> catalogue.features[:, 0].tolist(), catalogue.values
    ([0, 0, 1, 0], ('', '0=drink'))
    """

    items: tuple[str, ...]
    features: Int[np.ndarray, "items columns"]
    values: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        if self.items[: len(SPECIAL_ITEMS)] != SPECIAL_ITEMS:
            raise ValueError(f"a catalogue must begin with {list(SPECIAL_ITEMS)}")
        if not all(isinstance(item, str) and item for item in self.items):
            raise ValueError("every item of a catalogue must be a non-empty string")
        if len(self.items) > MAX_ITEMS:
            raise ValueError(
                f"a catalogue has {MAX_ITEMS:,} items at most, not {len(self.items):,}"
            )
        if len(self._numbers) != len(self.items):
            raise ValueError(
                f"the items of a catalogue must be distinct: of {len(self.items)} only "
                f"{len(self._numbers)} are"
            )
        if len(self.features) != len(self.items):
            raise ValueError(
                f"the catalogue has {len(self.items)} items, its features are of "
                f"{len(self.features)}"
            )
        if self.features.size and not 0 <= self.features.min() <= self.features.max() < len(
            self.values
        ):
            raise ValueError(f"a feature is not among the {len(self.values)} that are named")

    @classmethod
    def build(
        cls, counts: Mapping[str, int], features: Mapping[str, Sequence[str]] | None = None
    ) -> "Catalogue":
        """The items of these counts; `features` maps an item to its features, "" for none."""
        names = sorted(set(counts) - set(SPECIAL_ITEMS), key=lambda item: (-counts[item], item))
        features = features or {}
        width = max(map(len, features.values()), default=0)
        table = np.zeros((len(SPECIAL_ITEMS) + len(names), width), dtype=np.int64)
        numbers: dict[str, int] = {"": 0}
        for row, item in enumerate(names, len(SPECIAL_ITEMS)):
            for column, value in enumerate(features.get(item, ())):
                if value:
                    key = f"{column}={value}"
                    table[row, column] = numbers.setdefault(key, len(numbers))
        return cls((*SPECIAL_ITEMS, *names), table, tuple(numbers))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def first_item(self) -> int:
        """The id of the first item; lower ones are not items."""
        return len(SPECIAL_ITEMS)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {item: number for number, item in enumerate(self.items)}

    def encode(self, names: Iterable[str]) -> list[int]:
        """Names to ids, `<unk>` for an unknown one."""
        return [max(UNKNOWN_ITEM, self._numbers.get(name, UNKNOWN_ITEM)) for name in names]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Ids to names."""
        return [self.items[number] for number in numbers]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        entry = {
            "items": self.items,
            "features": self.features.tolist(),
            "values": self.values,
        }
        write_whole(path, json.dumps(entry, ensure_ascii=False).encode())

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read what `save` wrote; raises `ValueError` when the file is damaged or foreign."""
        entry = read_json_file(path)
        try:
            items, values = (_names(name, entry[name]) for name in ("items", "values"))
            return cls(items, _table(entry["features"]), values)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path} holds no catalogue of items: {error}") from None


def _names(name: str, found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name} must be a list of texts, got {shown(found)}")
    return tuple(found)


def _table(found: Any) -> Int[np.ndarray, "items columns"]:
    """Rows of whole numbers, all of one length."""
    rows = found if isinstance(found, list) else [found]
    width = len(rows[0]) if rows and isinstance(rows[0], list) else -1
    for row in rows:
        whole = isinstance(row, list) and all(type(number) is int for number in row)
        if not whole or len(row) != width:
            raise ValueError(f"its features are no table of whole numbers: a row is {shown(row)}")
    return np.array(rows, dtype=np.int64).reshape(len(rows), max(width, 0))
