"""What is asked of a path, and what is found there."""

import re
from dataclasses import dataclass

from regard.data.reading.rows import Rows

SPLITS = {
    "train": re.compile(r"train(ing)?([._-].*)?"),
    "valid": re.compile(r"(val|valid|validation|dev)([._-].*)?"),
    "test": re.compile(r"test(ing)?([._-].*)?"),
}


@dataclass(frozen=True)
class Layout:
    """The parts of the data, each as rows that can be read any number of times."""

    task: str
    names: tuple[str, ...]
    splits: dict[str, Rows]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What the caller said about the data, None for what was not said."""

    task: str | None = None
    source: str | None = None
    target: str | None = None
    encoding: str = "utf-8"


def split_of(stem: str) -> str | None:
    """The split that a file's or folder's name stands for, if any.

    >>> split_of("test_2016_flickr"), split_of("val"), split_of("trainer")
    ('test', 'valid', None)
    """
    return next((s for s, name in SPLITS.items() if name.fullmatch(stem.lower())), None)
