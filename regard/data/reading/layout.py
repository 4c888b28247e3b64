"""What a path holds: which files are which part of the data, and how their rows are read."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from regard.data.reading.asked import SPLITS, Asked, Layout, split_of
from regard.data.reading.babi import is_babi
from regard.data.reading.columns import COLUMNS, chosen, suggestion
from regard.data.reading.item_file import Described, item_file
from regard.data.reading.lines import check_encoding
from regard.data.reading.rows import Labelled, Rows, Running, Tabled
from regard.data.reading.side_by_side import paired, side_by_side
from regard.data.reading.story_files import require_numbered, story_parts, with_parts
from regard.data.reading.tables import TABLES, table

TASKS = tuple(COLUMNS)


def layout(path: Path, asked: Asked) -> Layout:
    """Look at a file or a folder and say how it is read.

    Raises `FileNotFoundError` with the nearest names when there is no such path, and `ValueError`
    when it is empty or can be read in several ways.
    """
    check_encoding(asked.encoding)
    if asked.task not in (None, *TASKS):
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {asked.task!r}")
    if not path.exists():
        raise FileNotFoundError(_missing(path))
    if path.is_file():
        if _tells(path, asked):
            return _stories(with_parts(path), asked)
        return _files({"train": path}, asked)
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    pairs = paired(files)
    if pairs:
        return side_by_side(pairs, path, asked)
    stories = [p for p in files if p.suffix.lower() == ".txt" and _tells(p, asked)]
    if stories and not any(p.suffix.lower() in TABLES for p in files):
        return _stories(stories, asked)
    if not any(p.suffix.lower() in (*TABLES, ".txt") for p in files):
        labelled = _folders(path, asked)
        if labelled:
            return labelled
    return _files(_one_each(path, files), asked)


def named(columns: tuple[str, ...], task: str) -> tuple[str, ...]:
    """The names of columns, in place of a missing one what it would be.

    >>> named(("userId", "movieId", "", ""), "recommend")
    ('userId', 'movieId', 'rating', 'timestamp')
    """
    return tuple(name or role for name, role in zip(columns, COLUMNS[task], strict=False))


def _missing(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    name = path.relative_to(folder).parts[0]
    there = sorted(p.name for p in folder.iterdir())
    near = get_close_matches(name, there, 3) or there[:5]
    return f"{path} does not exist; in {folder} there is {', '.join(near) or 'nothing'}"


def _files(files: dict[str, Path], asked: Asked) -> Layout:
    """One file for each split: tables, or text."""
    for path in files.values():
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty")
    first = files["train"]
    if first.suffix.lower() not in TABLES:
        return _text(files, asked)
    opened = table(first, asked.encoding)

    def texts(columns: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
        return [row for _, row in islice(opened.rows(columns), 1000)]

    task, columns = chosen(opened.names, texts, str(first), asked.task, asked.source, asked.target)
    splits: dict[str, Rows] = {}
    for split, path in files.items():
        part = table(path, asked.encoding)
        for column in set(columns) - {*part.names, ""}:
            hint = suggestion(column, part.names)
            raise ValueError(f"{path} has no column {column!r}, as {first} has; {hint}")
        splits[split] = Tabled(part, columns, task)
    if task != "recommend" or len(columns) == len(COLUMNS[task]):
        return Layout(task, named(columns, task), splits)
    items, notes = item_file(first, asked.encoding)
    if items is None:
        return Layout(task, named(columns, task), splits, notes)
    described: dict[str, Rows] = {split: Described(rows, items) for split, rows in splits.items()}
    return Layout(task, named((*columns, ""), task), described, notes)


def _tells(path: Path, asked: Asked) -> bool:
    """Whether a file is to be read as stories of bAbI."""
    return asked.task in (None, "answer") and is_babi(path)


def _stories(files: list[Path], asked: Asked) -> Layout:
    splits, notes = story_parts(files, asked.encoding)
    return Layout("answer", COLUMNS["answer"], splits, notes)


def _text(files: dict[str, Path], asked: Asked) -> Layout:
    if asked.task == "answer":
        for path in files.values():
            require_numbered(path, asked.encoding)
        return _stories([*files.values()], asked)
    if asked.task not in (None, "language_model"):
        kinds = ", ".join(TABLES[:4])
        raise ValueError(
            f"{files['train']} is plain text, in which there is nothing to {asked.task}; examples "
            f"come as {kinds}, or as files side by side in a folder (train.en and train.de, "
            "reviews.pos and reviews.neg)"
        )
    splits: dict[str, Rows] = {s: Running(path, asked.encoding) for s, path in files.items()}
    return Layout("language_model", ("text",), splits)


def _one_each(folder: Path, files: list[Path]) -> dict[str, Path]:
    """The file of each split in a folder without paired files."""
    usable = [p for p in files if p.suffix.lower() in (*TABLES, ".txt")]
    usable = usable or files
    found: dict[str, list[Path]] = {}
    for path in usable:
        split = split_of(path.stem)
        if split:
            found.setdefault(split, []).append(path)
    if not found and len(usable) == 1:
        return {"train": usable[0]}
    if "train" not in found or any(len(found.get(s, ())) > 1 for s in ("train", "valid")):
        names = ", ".join(p.name for p in usable[:10]) or "no file"
        raise ValueError(
            f"{folder} holds {names}: which is to be trained on? Name one file, or call one of "
            "them train (train.tsv, train.txt, train.en and train.de)"
        )
    return {split: found[split][0] for split in SPLITS if split in found}


def _folders(path: Path, asked: Asked) -> Layout | None:
    """`<label>/*.txt`, or the same within `train/` and `test/`."""
    parts = {split_of(p.name): p for p in sorted(path.iterdir()) if p.is_dir()}
    roots = {s: parts[s] for s in SPLITS if s in parts} if "train" in parts else {"train": path}
    splits: dict[str, Rows] = {}
    for split, root in roots.items():
        files = tuple((p.parent.name, p) for p in sorted(root.glob("*/*.txt")))
        if len({label for label, _ in files}) > 1:
            splits[split] = Labelled(files, asked.encoding, whole=True)
    return Layout("classify", ("text", "label"), splits) if "train" in splits else None
