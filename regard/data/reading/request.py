"""A request to read a path, and the layout found there."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from regard.data.reading.lexicon import Lexicon
from regard.data.reading.rows import RowSource
from regard.data.reading.text_encoding import AUTO, encoding_notes, encoding_of, encodings_of
from regard.data.schema import Schema

SPLIT_NAMES = {
    "train": re.compile(r"train(ing)?([._-].*)?"),
    "valid": re.compile(r"(val|valid|validation|dev|eval)([._-].*)?"),
    "test": re.compile(r"test(ing)?([._-].*)?"),
}


@dataclass(frozen=True)
class Layout:
    """The parts of the data, each as rows that can be read any number of times."""

    schema: Schema
    names: tuple[str, ...]
    splits: dict[str, RowSource]
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """The column of the data that plays each role, several with commas between; "" for none."""
    encoding: str = AUTO
    merged: bool = True
    """Whether labels that differ in case or spaces alone are one."""
    by_label: bool = True
    """Whether what is held out is a share of each label."""
    readable: bool = False
    """Whether rows are left out whose pictures cannot be read."""
    known: tuple[str, ...] = ()
    """Labels whose spelling is settled."""
    absent: tuple[str, ...] = ()
    """The roles that nothing in the data plays."""


@dataclass(frozen=True)
class DataRequest:
    """The tasks a caller knows, and what was specified about the data; None for the rest.

    Args:
        asked: pairs of a role and its columns, separated by commas; `source` and `target` are the
            two of any task with two, or two languages.
        encoding: of text; `auto` detects it from the bytes of each file.
        as_trained: whether the columns are those of a trained run, so that optional ones may be
            missing.
        merged: whether different spellings of a label are merged.
        by_label: whether a missing validation split is held out stratified by label.
        known: labels whose spelling is fixed.
        readable: whether rows are left out whose pictures cannot be read, instead of refused.

    Raises `ValueError` for an unknown task, and two with the same name.
    """

    schemas: tuple[Schema, ...]
    task: str | None = None
    asked: tuple[tuple[str, str], ...] = ()
    encoding: str = AUTO
    as_trained: bool = False
    merged: bool = True
    by_label: bool = True
    known: tuple[str, ...] = ()
    readable: bool = False

    def __post_init__(self) -> None:
        names = self.tasks
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"the tasks must be different, and one at least; got {names}")
        if self.task not in (None, *names):
            raise ValueError(f"task must be one of {', '.join(names)}, got {self.task!r}")

    @property
    def source(self) -> str | None:
        """The first of two columns, or the language that is read."""
        return dict(self.asked).get("source")

    @property
    def target(self) -> str | None:
        """The second of two columns, or the language that is written."""
        return dict(self.asked).get("target")

    def encoding_of(self, path: Path) -> str:
        """The encoding of a file of text: as was said, or by its bytes."""
        return encoding_of(path) if self.encoding == AUTO else self.encoding

    def encodings_of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The encodings of files of text that belong together."""
        if self.encoding == AUTO:
            return encodings_of(paths)
        return dict.fromkeys(paths, self.encoding)

    def encoding_notes(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """What is to be said of the encodings of files of text, each found by itself."""
        return encoding_notes({path: self.encoding_of(path) for path in paths}, self.encoding)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks that are known."""
        return tuple(schema.task for schema in self.schemas)

    @property
    def candidates(self) -> tuple[Schema, ...]:
        """What the data may be read as: the task that was said, or any that data can tell."""
        if self.task is not None or len(self.schemas) == 1:
            return tuple(s for s in self.schemas if self.task in (None, s.task))
        return tuple(schema for schema in self.schemas if schema.inferred)

    @cached_property
    def lexicon(self) -> Lexicon:
        """What the columns of all known tasks are called."""
        return Lexicon.of(self.schemas)

    def first(self, suits: Callable[[Schema], bool]) -> Schema | None:
        """The first of the candidates that suits."""
        return next((schema for schema in self.candidates if suits(schema)), None)


def split_named(stem: str) -> str | None:
    """The split that a file's or folder's name stands for, if any.

    >>> split_named("test_2016_flickr"), split_named("val"), split_named("trainer")
    ('test', 'valid', None)
    """
    return next((s for s, name in SPLIT_NAMES.items() if name.fullmatch(stem.lower())), None)


def split_of_part(stem: str) -> str | None:
    """The split of a file that is one or is called one behind a point, as RecBole's parts are.

    >>> split_of_part("ml-1m.valid"), split_of_part("train"), split_of_part("ml-1m")
    ('valid', 'train', None)
    """
    return split_named(stem) or split_named(stem.rpartition(".")[2])
