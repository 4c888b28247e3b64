"""Corpus: a user's data as it was read, and the words in which that is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

SHOWN = 100
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
    """Examples of one task: `splits` holds `datasets.Dataset`s called train, valid and test.

    Their columns are texts: `source` and `target` (translate), `text` and `label` (classify),
    `text` (language_model, where the rows of a plain text, joined, are the text). `names` are the
    two languages, or the columns read; `labels` all labels, sorted. The `fingerprint` is that of
    the files' names and contents. `says` is for the user to read.
    """

    task: str
    splits: dict[str, Any]
    names: tuple[str, ...]
    says: str
    fingerprint: str
    labels: tuple[str, ...] = ()
    files: tuple[Read, ...] = field(default=(), repr=False)

    def check(self) -> None:
        """Raise `ValueError` when a file is not what it was when it was read."""
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


def shown(text: str) -> str:
    r"""A text as it can be printed anywhere: on one line, cut, control characters spelled out.

    >>> shown("a\nb\x1b[2J\u202e")
    'a\\nb\\x1b[2J\\u202e'
    """
    cut = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def told(
    task: str,
    names: Sequence[str],
    counts: Sequence[str],
    notes: Sequence[str],
    examples: Sequence[Sequence[str]],
) -> str:
    """What was read, line by line."""
    between = " -> " if task == "translate" else ", "
    plain = [shown(name.split(".")[-1]) for name in names]
    lines = [f"read as {task} ({between.join(plain)}): {', '.join(counts)}", *notes]
    for number, example in enumerate(examples, 1):
        columns = zip(plain, example, strict=True)
        lines += [f"  {number}. " + "  |  ".join(f"{n}: {shown(text)}" for n, text in columns)]
    return "\n".join(lines)
