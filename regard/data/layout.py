"""What a path holds: which files are which part of the data, and how their rows are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from regard.data.babi import is_babi
from regard.data.columns import COLUMNS, chosen, is_language, suggestion
from regard.data.item_file import Described, item_file
from regard.data.lines import check_encoding
from regard.data.rows import Labelled, Pairs, Rows, Running, Tabled
from regard.data.story_files import require_numbered, story_parts, with_parts
from regard.data.tables import TABLES, table

SPLITS = {
    "train": re.compile(r"train(ing)?([._-].*)?"),
    "valid": re.compile(r"(val|valid|validation|dev)([._-].*)?"),
    "test": re.compile(r"test(ing)?([._-].*)?"),
}
LABELS = frozenset("pos neg neu positive negative neutral spam ham".split())
TASKS = tuple(COLUMNS)
BESIDE = (".txt", ".md", ".item", ".user", ".kg", ".link")
"""Endings of files that are no half of a pair: plain text, and RecBole's beside its `.inter`."""


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
    paired = _paired(files, asked)
    if paired:
        return _side_by_side(paired, path, asked)
    stories = [p for p in files if p.suffix.lower() == ".txt" and _tells(p, asked)]
    if stories and not any(p.suffix.lower() in TABLES for p in files):
        return _stories(stories, asked)
    if not any(p.suffix.lower() in (*TABLES, ".txt") for p in files):
        labelled = _folders(path, asked)
        if labelled:
            return labelled
    return _files(_one_each(path, files), asked)


def split_of(stem: str) -> str | None:
    """The split that a file's or folder's name stands for, if any.

    >>> split_of("test_2016_flickr"), split_of("val"), split_of("trainer")
    ('test', 'valid', None)
    """
    return next((s for s, name in SPLITS.items() if name.fullmatch(stem.lower())), None)


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


def _paired(files: list[Path], asked: Asked) -> dict[str, dict[str, Path]]:
    """Stem → ending → file, for files that differ in their ending only; empty when none are."""
    stems: dict[str, dict[str, Path]] = {}
    for path in files:
        if path.suffix and path.suffix.lower() not in (*TABLES, *BESIDE):
            stems.setdefault(path.stem, {})[path.suffix[1:]] = path
    return {stem: ends for stem, ends in stems.items() if len(ends) > 1}


def _side_by_side(stems: dict[str, dict[str, Path]], folder: Path, asked: Asked) -> Layout:
    """Files of the same stem: two languages, or one file for each label."""
    splits = _stems_of_splits(stems, folder)
    ends = splits["train"]
    task = asked.task or ("classify" if set(map(str.lower, ends)) <= LABELS else "translate")
    if task == "classify":
        rows: dict[str, Rows] = {
            split: Labelled(tuple(sorted(paths.items())), asked.encoding)
            for split, paths in splits.items()
        }
        return Layout(task, ("text", "label"), rows)
    if task == "language_model":
        raise ValueError(f"{folder} holds files side by side; name one of them to read it as text")
    source, target = _direction(sorted(ends), folder, asked)
    notes: tuple[str, ...] = ()
    if asked.source is None and asked.target is None:
        notes = (f"for the other direction: --source {target} --target {source}",)
    pairs: dict[str, Rows] = {
        split: Pairs(paths[source], paths[target], asked.encoding)
        for split, paths in splits.items()
        if source in paths and target in paths
    }
    return Layout(task, (source, target), pairs, notes)


def _stems_of_splits(stems: dict[str, dict[str, Path]], folder: Path) -> dict[str, dict[str, Path]]:
    found: dict[str, list[str]] = {}
    for stem in sorted(stems):
        found.setdefault(split_of(stem) or "other", []).append(stem)
    if "train" not in found and len(stems) == 1:
        return {"train": next(iter(stems.values()))}
    if len(found.get("train", ())) != 1:
        raise ValueError(
            f"{folder} holds files side by side named {', '.join(sorted(stems))}: which are to be "
            "trained on? Call them train, and the others valid and test (train.en, train.de)"
        )
    return {split: stems[found[split][0]] for split in SPLITS if split in found}


def _direction(ends: list[str], folder: Path, asked: Asked) -> tuple[str, str]:
    """The endings of source and target: as asked, else English first, else by the alphabet."""
    for option, name in (("--source", asked.source), ("--target", asked.target)):
        if name is not None and name not in ends:
            hint = suggestion(name, ends)
            raise ValueError(f"{folder} has no file train.{name} ({option}); {hint}")
    free = [end for end in ends if end not in (asked.source, asked.target)]
    if asked.source is None and asked.target is None and len(free) > 2:
        free = [end for end in free if is_language(end)]
    free.sort(key=lambda end: (end.lower() != "en", end))
    wanted = [asked.source is None, asked.target is None]
    if len(free) != sum(wanted) and all(wanted) or len(free) != 1 and sum(wanted) == 1:
        raise ValueError(
            f"{folder} has training files ending in {', '.join(ends)}; say with --source and "
            "--target which two to read"
        )
    return asked.source or free[0], asked.target or free[-1]


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
