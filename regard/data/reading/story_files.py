"""Files of stories in the format of bAbI: which of them are which part of the data."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from regard.data.reading.babi import Babi, babi_split
from regard.data.reading.lines import lines
from regard.data.reading.natural import natural
from regard.data.reading.rows import Joined, RowSource
from regard.data.schema import SPLITS

BABI_EXAMPLE = "'1 Mary moved to the bathroom.', '2 Where is Mary?<TAB>bathroom<TAB>1'"


def with_parts(path: Path) -> list[Path]:
    """This file, and where it is called `..._train.txt`, those of the other parts beside it.

    >>> with_parts(Path("stories.txt"))
    [PosixPath('stories.txt')]
    """
    stem = path.name.removesuffix("_train.txt")
    others = [path.with_name(f"{stem}_{split}.txt") for split in ("valid", "test")]
    return [path, *(other for other in others if stem != path.name and other.is_file())]


def story_parts(
    files: Iterable[Path], encoding_of: Callable[[Path], str]
) -> tuple[dict[str, RowSource], tuple[str, ...]]:
    """The parts of the data in these files of stories, and what is to be said about them.

    A file is of the part that its name ends with, else of `train`; one alone is `train` whatever
    its name. Several of one part, such as the official twenty tasks, are read one behind the other.

    Raises `ValueError` when there is nothing to train on.
    """
    paths = sorted(files, key=lambda path: natural(path.name))
    found: dict[str, list[Path]] = {}
    for path in paths:
        split = babi_split(path) if len(paths) > 1 else None
        found.setdefault(split or "train", []).append(path)
    if "train" not in found:
        names = ", ".join(path.name for path in paths[:4])
        raise ValueError(
            f"{paths[0].parent} holds {names}, of which none is to be trained on; add one that "
            "ends in _train.txt, or name one file"
        )
    parts = {split: _joined(found[split], encoding_of) for split in SPLITS if split in found}
    train = [path.name for path in found["train"]]
    if len(train) == 1:
        return parts, ()
    shown = ", ".join(train if len(train) < 4 else [*train[:2], "...", train[-1]])
    return parts, (f"{len(train)} files are learned together, one behind the other: {shown}",)


def require_numbered(path: Path, encoding: str) -> None:
    """Raise `ValueError` that shows the format, unless the first line begins with a number."""
    first = next((line for line in lines(path, encoding) if line.strip()), "")
    if not re.match(r"\d+ ", first):
        raise ValueError(
            f"{path} is plain text, in which nothing is asked; stories come as .tsv, .csv or "
            ".jsonl with the columns story, question and answer, or as numbered lines: "
            f"{BABI_EXAMPLE}"
        )


def _joined(paths: list[Path], encoding_of: Callable[[Path], str]) -> RowSource:
    parts = tuple(Babi(path, encoding_of(path)) for path in paths)
    return parts[0] if len(parts) == 1 else Joined(parts)
