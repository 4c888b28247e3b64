"""Flickr8k's folders: a file of captions, and one of the pictures of each part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.pictures import is_picture_name
from regard.data.reading.request import SPLIT_NAMES
from regard.data.reading.tables import OverTable, PlacedRow, Table
from regard.data.reading.tagged_lines import captioned

_SAMPLED = 50
_PARTS = {"train": ("train",), "valid": ("dev", "val"), "test": ("test",)}
"""What the names of lists have in them."""


@dataclass(frozen=True)
class OfList(OverTable):
    """The rows of a table whose picture is in a list."""

    pictures: frozenset[str]
    listed: str

    @property
    def said(self) -> tuple[str, ...]:
        return (*self.table.said, f"{self.listed} lists the pictures of a part")

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        for where, (picture, *cells) in self.table.rows(["image", *names]):
            if picture in self.pictures:
                yield where, tuple(cells)


def flickr(files: Sequence[Path], encoding: str) -> tuple[Path, Mapping[str, Table]] | None:
    """The file of captions among these and the table of each part; None where there is none."""
    texts = [path for path in files if path.suffix.lower() in (".txt", ".token")]
    plain = sorted(texts, key=lambda path: ("lemma" in path.name.lower(), path.name))
    found = ((path, table) for path in plain if (table := captioned(path, encoding)))
    path, table = next(found, (None, None))
    if path is None or table is None:
        return None
    lists = _lists(texts, encoding)
    if "train" not in lists:
        return path, {"train": table}
    return path, {
        split: OfList(table, frozenset(_pictures(lists[split], encoding)), lists[split].name)
        for split in SPLIT_NAMES
        if split in lists
    }


def _lists(files: Sequence[Path], encoding: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        sample = list(islice(_pictures(path, encoding), _SAMPLED))
        if sample and all(is_picture_name(name) and len(name.split()) == 1 for name in sample):
            for split, words in _PARTS.items():
                if any(word in path.stem.lower() for word in words):
                    found.setdefault(split, path)
    return found


def _pictures(path: Path, encoding: str) -> Iterator[str]:
    return (line.strip() for line in lines(path, encoding) if line.strip())
