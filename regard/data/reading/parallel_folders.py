"""Folders of two languages with files of the same names: `en/1.txt` beside `de/1.txt`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regard.data.reading.languages import is_language
from regard.data.reading.lines import lines
from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named
from regard.data.reading.rows import Joined, ParallelFiles, ParallelTexts, RowSource
from regard.data.reading.side_by_side import direction

DEPTH = 3
"""Folders within folders that are looked into for those of languages."""
_SHARED = 0.5
"""Share of the names of files that must be in every folder."""


def parallel_folders(path: Path, request: DataRequest) -> Layout | None:
    """Files of the same names in folders of languages, None for another folder.

    Their lines belong together where all pairs have as many lines, else each file is one text.

    Raises `ValueError`, with both readings, unless the caller said which one is meant.
    """
    schema = request.first(lambda schema: schema.parallel)
    root = None if schema is None else _root(path, DEPTH)
    if schema is None or root is None:
        return None
    parts = _parts(root)
    sides = sorted(parts["train"])
    source, target = direction(sides, root, request)
    labelled = request.first(lambda schema: schema.label_files)
    if labelled and not (request.source or request.target):
        name = _shared(parts["train"])[0]
        raise ValueError(
            f"{root} can be read in 2 ways; say which:\n"
            f"  --task {schema.task} --source {source} --target {target}, if {source}/{name} and "
            f"{target}/{name} say the same in two languages\n"
            f"  --task {labelled.task}, if {', '.join(sides)} are the labels of the texts in them"
        )
    splits: dict[str, RowSource] = {}
    notes = list[str]()
    for split, folders in parts.items():
        if source in folders and target in folders:
            splits[split], said = _pairs(folders[source], folders[target], request)
            notes.append(f"{source} and {target} ({split}): {said}")
    return Layout(schema, (source, target), splits, tuple(notes))


def _pairs(one: Path, two: Path, request: DataRequest) -> tuple[RowSource, str]:
    """The files of the same names in two folders, and how they belong together."""
    names = _shared({"": one, " ": two})
    found = request.encodings_of([one / name for name in names])
    found |= request.encodings_of([two / name for name in names])
    pairs = [((one / name, two / name), (found[one / name], found[two / name])) for name in names]
    aligned = all(
        sum(1 for _ in lines(files[0], spelled[0])) == sum(1 for _ in lines(files[1], spelled[1]))
        for files, spelled in pairs
    )
    kind = ParallelFiles if aligned else ParallelTexts
    rows: list[RowSource] = [kind(*files, spelled) for files, spelled in pairs]
    what = "line n of a file belongs to line n of" if aligned else "each file is one text, beside"
    left = len({*_names(one), *_names(two)}) - len(names)
    without = f"; {left:,} without one left out" if left else ""
    return Joined(tuple(rows)), f"{what} the file of its name{without}"


def _root(path: Path, depth: int) -> Path | None:
    """The folder in which those of languages are, or its parts': this, or the only one in it."""
    if _sides(path) or "train" in _parts(path):
        return path
    inner = _folders(path)
    return _root(inner[0], depth - 1) if len(inner) == 1 and depth > 1 else None


def _parts(root: Path) -> dict[str, dict[str, Path]]:
    """Split → language → folder."""
    if sides := _sides(root):
        return {"train": sides}
    found = {split_named(each.name): _sides(each) for each in _folders(root)}
    return {split: found[split] for split in SPLIT_NAMES if found.get(split)}


def _sides(path: Path) -> dict[str, Path]:
    """The folders of languages in one, none where their files are not called the same."""
    folders = _folders(path)
    if len(folders) < 2 or not all(is_language(each.name) for each in folders):
        return {}
    sides = {each.name: each for each in folders}
    every = {name for each in folders for name in _names(each)}
    return sides if every and len(_shared(sides)) >= max(2, _SHARED * len(every)) else {}


def _shared(sides: Mapping[str, Path]) -> list[str]:
    """The names of files that are in each of several folders."""
    names = [{*_names(folder)} for folder in sides.values()]
    return sorted(set.intersection(*names))


def _names(folder: Path) -> Sequence[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_file() and p.suffix.lower() == ".txt")


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
