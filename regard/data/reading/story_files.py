"""Files of stories in the format of bAbI: which of them are which part of the data."""

import re
from collections.abc import Iterable
from pathlib import Path

from regard.data.reading.babi import Babi, split_of
from regard.data.reading.lines import lines
from regard.data.reading.natural import natural
from regard.data.reading.rows import Joined, Rows

FORMAT = "'1 Mary moved to the bathroom.', '2 Where is Mary?<TAB>bathroom<TAB>1'"


def with_parts(path: Path) -> list[Path]:
    """This file, and where it is called `..._train.txt`, those of the other parts beside it.

    >>> with_parts(Path("stories.txt"))
    [PosixPath('stories.txt')]
    """
    stem = path.name.removesuffix("_train.txt")
    others = [path.with_name(f"{stem}_{split}.txt") for split in ("valid", "test")]
    return [path, *(other for other in others if stem != path.name and other.is_file())]


def story_parts(files: Iterable[Path], encoding: str) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The parts of the data in these files of stories, and what is to be said about them.

    A file is of the part that its name ends with, else of `train`; one alone is `train` whatever
    its name. Several of one part, such as the official twenty tasks, are read one behind the other.

    Raises `ValueError` when there is nothing to train on.
    """
    paths = sorted(files, key=lambda path: natural(path.name))
    found: dict[str, list[Path]] = {}
    for path in paths:
        split = split_of(path) if len(paths) > 1 else None
        found.setdefault(split or "train", []).append(path)
    if "train" not in found:
        names = ", ".join(path.name for path in paths[:4])
        raise ValueError(
            f"{paths[0].parent} holds {names}, of which none is to be trained on; add one that "
            "ends in _train.txt, or name one file"
        )
    splits = ("train", "valid", "test")
    parts = {split: _joined(found[split], encoding) for split in splits if split in found}
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
            f".jsonl with the columns story, question and answer, or as numbered lines: {FORMAT}"
        )


def _joined(paths: list[Path], encoding: str) -> Rows:
    parts = tuple(Babi(path, encoding) for path in paths)
    return parts[0] if len(parts) == 1 else Joined(parts)
