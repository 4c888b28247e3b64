"""What a path holds: which files are which part of the data, and how their rows are read."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from regard.data.reading.babi import is_babi
from regard.data.reading.columns import choose_columns
from regard.data.reading.item_file import Described, item_file
from regard.data.reading.lexicon import suggestion
from regard.data.reading.lines import check_encoding
from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named, split_of_part
from regard.data.reading.rows import LabelledFiles, RowSource, Running, Tabled
from regard.data.reading.side_by_side import paired, side_by_side
from regard.data.reading.story_files import require_numbered, story_parts, with_parts
from regard.data.reading.tables import TABLES, open_table
from regard.data.schema import Cell, Schema

PEEKED = 1000
"""Rows whose values tell what a table is, where its names do not."""


def find_layout(path: Path, request: DataRequest) -> Layout:
    """Look at a file or a folder and say how it is read.

    Raises `FileNotFoundError` with the nearest names when there is no such path, and `ValueError`
    when it is empty or can be read in several ways.
    """
    check_encoding(request.encoding)
    if not path.exists():
        raise FileNotFoundError(_missing(path))
    stories = request.first(lambda schema: schema.babi)
    if path.is_file():
        if stories and is_babi(path):
            return _stories(stories, with_parts(path), request)
        return _files({"train": path}, request)
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    pairs = paired(files)
    if pairs:
        return side_by_side(pairs, path, request)
    if stories and not any(p.suffix.lower() in TABLES for p in files):
        told = [p for p in files if p.suffix.lower() == ".txt" and is_babi(p)]
        if told:
            return _stories(stories, told, request)
    if not any(p.suffix.lower() in (*TABLES, ".txt") for p in files):
        labelled = _folders(path, request)
        if labelled:
            return labelled
    return _files(_one_each(path, files), request)


def _missing(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    name = path.relative_to(folder).parts[0]
    there = sorted(p.name for p in folder.iterdir())
    near = get_close_matches(name, there, 3) or there[:5]
    return f"{path} does not exist; in {folder} there is {', '.join(near) or 'nothing'}"


def _files(files: dict[str, Path], request: DataRequest) -> Layout:
    """One file for each split: tables, or text."""
    for path in files.values():
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty")
    first = files["train"]
    if first.suffix.lower() not in TABLES:
        return _text(files, request)
    table = open_table(first, request.lexicon, request.encoding)

    def first_rows(columns: tuple[str, ...]) -> Sequence[tuple[Cell, ...]]:
        return [row for _, row in islice(table.rows(columns), PEEKED)]

    schema, columns = choose_columns(table.names, first_rows, str(first), request)
    splits: dict[str, RowSource] = {}
    for split, path in files.items():
        part = open_table(path, request.lexicon, request.encoding)
        for column in set(columns) - {*part.names, ""}:
            hint = suggestion(column, part.names)
            raise ValueError(f"{path} has no column {column!r}, as {first} has; {hint}")
        splits[split] = Tabled(part, columns, schema)
    found = Layout(schema, schema.names_of(columns), splits)
    if schema.item_file and len(columns) < len(schema.columns):
        return _with_items(found, first, request.encoding)
    return found


def _with_items(found: Layout, first: Path, encoding: str) -> Layout:
    """The same rows with what an `.item` file beside the first file knows, if there is one."""
    schema = found.schema
    items, notes = item_file(first, schema, encoding)
    if items is None:
        return Layout(schema, found.names, found.splits, notes)
    place = [column.name for column in schema.columns].index(schema.item_file)
    described: dict[str, RowSource] = {
        split: Described(rows, items, place) for split, rows in found.splits.items()
    }
    return Layout(schema, schema.names_of((*found.names, "")), described, notes)


def _stories(schema: Schema, files: list[Path], request: DataRequest) -> Layout:
    splits, notes = story_parts(files, request.encoding)
    return Layout(schema, tuple(column.name for column in schema.columns), splits, notes)


def _text(files: dict[str, Path], request: DataRequest) -> Layout:
    running = request.first(lambda schema: schema.running_text)
    if running:
        splits: dict[str, RowSource] = {
            split: Running(path, request.encoding) for split, path in files.items()
        }
        return Layout(running, (running.columns[0].name,), splits)
    stories = request.first(lambda schema: schema.babi)
    if stories:
        for path in files.values():
            require_numbered(path, request.encoding)
        return _stories(stories, [*files.values()], request)
    raise ValueError(
        f"{files['train']} is plain text, in which there is nothing to "
        f"{' or '.join(schema.task for schema in request.candidates)}; examples come as "
        f"{', '.join(TABLES[:4])}, or as files side by side in a folder (train.en and train.de, "
        "reviews.pos and reviews.neg)"
    )


def _one_each(folder: Path, files: list[Path]) -> dict[str, Path]:
    """The file of each split in a folder without paired files."""
    usable = [p for p in files if p.suffix.lower() in (*TABLES, ".txt")]
    usable = usable or files
    found: dict[str, list[Path]] = {}
    for path in usable:
        split = split_of_part(path.stem)
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
    return {split: found[split][0] for split in SPLIT_NAMES if split in found}


def _folders(path: Path, request: DataRequest) -> Layout | None:
    """`<label>/*.txt`, or the same within `train/` and `test/`."""
    schema = request.first(lambda schema: schema.label_files)
    if schema is None:
        return None
    parts = {split_named(p.name): p for p in sorted(path.iterdir()) if p.is_dir()}
    roots = (
        {s: parts[s] for s in SPLIT_NAMES if s in parts} if "train" in parts else {"train": path}
    )
    splits: dict[str, RowSource] = {}
    for split, root in roots.items():
        files = tuple((p.parent.name, p) for p in sorted(root.glob("*/*.txt")))
        if len({label for label, _ in files}) > 1:
            splits[split] = LabelledFiles(files, request.encoding, whole=True)
    names = tuple(column.name for column in schema.columns)
    return Layout(schema, names, splits) if "train" in splits else None
