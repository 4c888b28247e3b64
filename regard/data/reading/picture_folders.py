"""Pictures that lie in folders of their labels, `cat/1.png`, whatever is within these folders."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from regard.data.reading.pictures import is_picture_name, read_picture
from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named

DEPTH = 3
"""Folders within folders that are looked into for those of labels."""
NAMED = 4
"""Files that are named where they are no pictures."""


@dataclass(frozen=True)
class LabelledPictures:
    """Files of pictures, each with its label.

    Args:
        labels: a label, and the file of a picture.
    """

    labels: tuple[tuple[str, Path], ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for _, path in self.labels if path.exists())

    def read(self, notes: Counter[str]) -> Iterator[tuple[bytes, str]]:
        for label, path in self.labels:
            yield read_picture(path), label


def picture_folders(path: Path, request: DataRequest) -> Layout | None:
    """`<label>/*.png`, or the same within `train/` and `test/`, or deeper; None for another folder.

    A picture belongs to the label whose folder it is in, however deep. What is no picture by its
    ending is left out and said.

    Raises `ValueError` for pictures of a single label.
    """
    schema = request.first(lambda schema: schema.picture_folders)
    root = None if schema is None else _root(path, DEPTH)
    if schema is None or root is None:
        return None
    parts = {split_named(p.name): p for p in _folders(root)}
    several = "train" in parts and any(_has_pictures(p) for p in _folders(parts["train"]))
    roots = {s: parts[s] for s in SPLIT_NAMES if s in parts} if several else {"train": root}
    splits = {split: _labelled(place) for split, place in roots.items()}
    labels = {label for label, _ in splits["train"]}
    if len(labels) < 2:
        raise ValueError(
            f"{roots['train']} has one folder of pictures, {', '.join(labels)}, and the folders "
            "are the labels: at least 2 are needed; or write a table of the pictures (image,label "
            "or image,caption) beside them"
        )
    notes = ["the folders of the pictures are their labels", *_left_out(roots["train"])]
    if empty := [p.name for p in _folders(roots["train"]) if p.name not in labels]:
        more = ", ..." if len(empty) > NAMED else ""
        notes.append(f"folders without pictures are left out: {', '.join(empty[:NAMED])}{more}")
    rows = {split: LabelledPictures(some) for split, some in splits.items() if some}
    names = tuple(column.name for column in schema.columns)
    return Layout(schema, names, dict(rows), tuple(notes))


def holds_pictures(folder: Path) -> bool:
    """Whether there are pictures in a folder, however deep."""
    return _has_pictures(folder)


def are_labelled(folder: Path) -> bool:
    """Whether pictures are in folders of their labels: in several, or in such of a part."""
    return _root(folder, DEPTH) is not None and not _is_alone(folder)


def _is_alone(folder: Path) -> bool:
    """Whether all pictures are in one folder, within whatever folders."""
    inner = [each for each in _folders(folder) if _has_pictures(each)]
    here = any(is_picture_name(p.name) for p in folder.iterdir() if p.is_file())
    return (here and not inner) or (not here and len(inner) == 1 and _is_alone(inner[0]))


def _labelled(root: Path) -> tuple[tuple[str, Path], ...]:
    return tuple((p.name, each) for p in _folders(root) for each in pictures_in(p))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and those within it, sorted."""
    return sorted(
        p
        for p in folder.rglob("*")
        if is_picture_name(p.name) and _is_seen(p, folder) and not p.is_dir()
    )


def _left_out(root: Path) -> list[str]:
    others = sorted(
        p.name
        for folder in _folders(root)
        for p in folder.rglob("*")
        if p.is_file() and _is_seen(p, root) and not is_picture_name(p.name)
    )
    if not others:
        return []
    more = ", ..." if len(others) > NAMED else ""
    some = ", ".join(dict.fromkeys(others[:NAMED]))
    return [f"files that are no pictures are left out: {some}{more}"]


def _is_seen(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _has_pictures(folder: Path) -> bool:
    return any(
        is_picture_name(p.name) and _is_seen(p, folder) and not p.is_dir()
        for p in folder.rglob("*.*")
    )


def _root(path: Path, depth: int) -> Path | None:
    """The folder whose folders hold pictures, or whose `train` does: this, or the only one in it.

    A folder that holds pictures itself is none of folders of labels.
    """
    if any(is_picture_name(p.name) and p.is_file() for p in path.iterdir()):
        return None
    inner = _folders(path)
    holding = [p for p in inner if _has_pictures(p)]
    if len(holding) > 1:
        return path
    if len(holding) == 1 and split_named(holding[0].name) == "train":
        deeper = _root(holding[0], 1)
        return path if deeper == holding[0] else None
    if len(holding) == 1 and depth > 1:
        return _root(holding[0], depth - 1) or (path if depth == DEPTH else None)
    return None
