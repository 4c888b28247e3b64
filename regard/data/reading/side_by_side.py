"""Files of one stem that differ in their ending: two languages, or a file for each label."""

from pathlib import Path

from regard.data.reading.asked import SPLITS, Asked, Layout, split_of
from regard.data.reading.columns import is_language, suggestion
from regard.data.reading.rows import Labelled, Pairs, Rows
from regard.data.reading.tables import TABLES

LABELS = frozenset("pos neg neu positive negative neutral spam ham".split())
BESIDE = (".txt", ".md", ".item", ".user", ".kg", ".link")
"""Endings of files that are no half of a pair: plain text, and RecBole's beside its `.inter`."""


def paired(files: list[Path]) -> dict[str, dict[str, Path]]:
    """Stem → ending → file, for files that differ in their ending only; empty when none are."""
    stems: dict[str, dict[str, Path]] = {}
    for path in files:
        if path.suffix and path.suffix.lower() not in (*TABLES, *BESIDE):
            stems.setdefault(path.stem, {})[path.suffix[1:]] = path
    return {stem: ends for stem, ends in stems.items() if len(ends) > 1}


def side_by_side(stems: dict[str, dict[str, Path]], folder: Path, asked: Asked) -> Layout:
    """How files of the same stem are read: as two languages, or as one file for each label.

    Raises `ValueError` when it is not clear which two, and for a task that cannot be told so.
    """
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
    if task != "translate":
        raise ValueError(
            f"{folder} holds files side by side, {', '.join(sorted(ends))}, to translate or to "
            f"classify; to {task}, give one table with its columns"
        )
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
