"""Texts that lie in folders of their labels, `pos/1.txt`, or in a file for each label."""

import re
from collections.abc import Sequence
from pathlib import Path

from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named
from regard.data.reading.side_by_side import LABEL_ENDINGS, labelled_files
from regard.data.reading.tables import ENDINGS

UNLABELLED = ("unsup", "unlabeled", "unlabelled")
"""Folders of texts that have no label."""
_OPPOSITES = ("non", "non_", "non-", "not_", "not-", "no_", "no-")
"""How a label is called that is not another."""
_HEX = re.compile(r"\.(\d+|[0-9a-f]{5,64})")
DEPTH = 3
"""Folders within folders that are looked into for those of labels."""


def label_folders(path: Path, request: DataRequest) -> Layout | None:
    """`<label>/*.txt`, or the same within `train/` and `test/`, or deeper; None for another folder.

    Texts without a label, as in the film reviews' `unsup`, are left out and said.
    """
    schema = request.first(lambda schema: schema.label_files)
    told = any(path.glob("*/*.txt")) or any(path.glob("*/*/*.txt"))
    tables = any(p.is_file() and p.suffix.lower() in (*ENDINGS, ".txt") for p in path.iterdir())
    if schema is None or (tables and not told):
        return None
    root = _root(path, DEPTH)
    if root is None:
        return None
    parts = {split_named(p.name): p for p in sorted(root.iterdir()) if p.is_dir()}
    roots = (
        {s: parts[s] for s in SPLIT_NAMES if s in parts} if "train" in parts else {"train": root}
    )
    splits: dict[str, tuple[tuple[str, Path], ...]] = {}
    left: list[str] = []
    for split, place in roots.items():
        files = tuple((p.parent.name, p) for p in _texts(place, "*/*"))
        left += sorted({label for label, _ in files if label.lower() in UNLABELLED})
        files = tuple((label, p) for label, p in files if label.lower() not in UNLABELLED)
        if len({label for label, _ in files}) > 1:
            splits[split] = files
    if "train" not in splits:
        return None
    beside = sorted(p.name for p in path.iterdir() if p.is_file() and p.suffix.lower() in ENDINGS)
    if beside and request.task is None:
        labels = ", ".join(dict.fromkeys(label for label, _ in splits["train"]))
        raise ValueError(
            f"{path} holds {', '.join(beside[:5])}, and texts in the folders {labels}: name the "
            f"table to learn from it, or say --task {schema.task} if the folders are the labels"
        )
    notes = ["the folders of the texts are their labels"]
    if left:
        notes.append(f"texts without a label are left out: {', '.join(dict.fromkeys(left))}")
    return labelled_files(schema, splits, request, tuple(notes), whole=True)


def text_files_of_labels(path: Path, files: Sequence[Path], request: DataRequest) -> Layout | None:
    """`positive.txt` and `negative.txt`, a text a line; None for files of other names."""
    schema = request.first(lambda schema: schema.label_files)
    texts = [p for p in files if p.suffix.lower() == ".txt"]
    labels = {p.stem.lower() for p in texts}
    opposite = any({each, f"{no}{each}"} == labels for each in labels for no in _OPPOSITES)
    if schema is None or len(labels) < 2 or not (opposite or labels <= LABEL_ENDINGS):
        return None
    pairs = tuple((p.stem, p) for p in texts)
    notes = ("the names of the files are the labels",)
    return labelled_files(schema, {"train": pairs}, request, notes)


def _texts(place: Path, pattern: str) -> list[Path]:
    """The texts among files: `.txt`, or where there is none, those without an ending or in `.md`.

    A number is no ending, as in the folders of newsgroups.
    """
    found = sorted(p for p in place.glob(pattern) if p.is_file() and not p.name.startswith("."))
    texts = [p for p in found if p.suffix == ".txt"]
    plain = ("", ".md", ".eml", ".text", ".rst")
    # Mails are called by their digests: 00001.7c53336b37003a92.
    return texts or [p for p in found if p.suffix in plain or _HEX.fullmatch(p.suffix)]


def _root(path: Path, depth: int) -> Path | None:
    """The folder whose folders hold texts, or whose `train` does: this, or the only one in it."""
    inner = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if sum(bool(_texts(p, "*")) for p in inner) > 1:
        return path
    train = next((p for p in inner if split_named(p.name) == "train"), None)
    if train is not None and _root(train, 1) == train:
        return path
    return _root(inner[0], depth - 1) if len(inner) == 1 and depth > 1 else None
