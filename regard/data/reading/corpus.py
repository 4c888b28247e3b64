"""Corpus: a user's data as read, and its description for the user."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from regard._printable import printable
from regard.data.reading.pictures import PictureCell
from regard.data.reading.text_encoding import AUTO
from regard.data.schema import Cell, ColumnKind, Schema

CHARACTERS_SHOWN = 100
"""Characters of an example that are shown."""


@dataclass(frozen=True)
class Read:
    """A file as it was when it was read."""

    path: Path
    size: int
    changed: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> "Read":
        """Look at a file now."""
        stat = path.stat()
        with open(path, "rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return cls(path, stat.st_size, stat.st_mtime_ns, digest)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Examples of one task: `splits` holds `datasets.Dataset`s named train, valid and test.

    Their columns are those of the `schema`; the rows of a running text, joined, are the text.
    `names` are the columns' names in the data, or their two languages; `labels` are all labels,
    sorted. The `fingerprint` covers the files' names and contents. The `description` is for the
    user.
    """

    schema: Schema
    splits: Mapping[str, Any]
    names: tuple[str, ...]
    description: str
    fingerprint: str
    labels: tuple[str, ...] = ()
    files: tuple[Read, ...] = field(default=(), repr=False)
    columns: tuple[str, ...] = ()
    """The columns of the data that play the roles, if it is a table; "" for a missing one."""
    encoding: str = AUTO
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What was dropped or repaired, with the number of rows."""

    @property
    def task(self) -> str:
        """The name of the task that the data is read for."""
        return self.schema.task

    def check(self) -> None:
        """Raise `ValueError` when a file has changed since it was read."""
        for file in self.files:
            if not file.path.exists():
                raise ValueError(f"{file.path} was there when the data was read and is gone")
            stat = file.path.stat()
            if (stat.st_size, stat.st_mtime_ns) == (file.size, file.changed):
                continue
            if Read.of(file.path).digest != file.digest:
                raise ValueError(
                    f"{file.path} changed since it was read: {file.size:,} bytes then, "
                    f"{stat.st_size:,} now; put it back, or start a new run"
                )


def fingerprint(files: Iterable[Read]) -> str:
    """One digest of the names, sizes and contents of files."""
    whole = sha256()
    for file in files:
        whole.update(f"{file.path.name}\0{file.size}\0{file.digest}\0".encode())
    return whole.hexdigest()


def one_line(text: str, most: int = CHARACTERS_SHOWN) -> str:
    r"""A text as it can be printed anywhere: on one line, cut, control characters spelled out.

    >>> one_line("a\nb\x1b[2J\u202e")
    'a\\nb\\x1b[2J\\u202e'
    """
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def describe_corpus(
    schema: Schema,
    names: Sequence[str],
    counts: Sequence[str],
    notes: Sequence[str],
    examples: Sequence[Sequence[Cell]],
    absent: Sequence[str] = (),
) -> str:
    """A description of what was read, line by line; nothing is said of roles that are absent."""
    plain = {
        column.name: one_line(name.split(".")[-1])
        for name, column in zip(names, schema.columns, strict=False)
        if column.name not in absent
    }
    columns = schema.between.join(plain.values())
    # What is said of data may hold names of it.
    said = (printable(line) for note in notes for line in note.split("\n"))
    lines = [f"read as {schema.task} ({columns}): {', '.join(counts)}", *said]
    for number, example in enumerate(examples, 1):
        cells = zip(example, schema.columns, strict=False)
        shown = (
            f"{plain[column.name]}: {_shown(cell, column.kind)}"
            for cell, column in cells
            if column.name in plain
        )
        lines += [f"  {number}. " + "  |  ".join(shown)]
    return "\n".join(lines)


def _shown(cell: Cell, kind: ColumnKind) -> str:
    if kind is ColumnKind.IMAGE and isinstance(cell, bytes):
        picture = PictureCell(cell)
        return f"{one_line(picture.name)} ({len(picture.content):,} bytes)"
    return f"{len(cell):,} bytes" if isinstance(cell, bytes) else one_line(str(cell))
