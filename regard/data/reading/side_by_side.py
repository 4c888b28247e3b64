"""Files of one stem that differ in their ending: two languages, or a file for each label."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from regard.data.reading.aligned import aligned_columns
from regard.data.reading.compression import PACKED
from regard.data.reading.languages import CODES, ENGLISH_NAMES, is_language
from regard.data.reading.lexicon import suggestion
from regard.data.reading.lines import beginning, lines
from regard.data.reading.not_read import not_read_text
from regard.data.reading.profile import profile
from regard.data.reading.request import SPLIT_NAMES, DataRequest, Layout, split_named
from regard.data.reading.rows import LabelledFiles, ParallelFiles, RowSource
from regard.data.reading.tables import ENDINGS
from regard.data.reading.text_encoding import encoding_notes
from regard.data.schema import Schema

LABEL_ENDINGS = frozenset("pos neg neu positive negative neutral spam ham".split())
SIDES = frozenset("src tgt source target trg".split())
"""What the two sides of a translation are called in the names of files."""
TEXT_SIDES, LABEL_SIDES = (
    frozenset("text texts sentences x".split()),
    frozenset("label labels y".split()),
)
"""What files are called of which one has the texts and the other their labels, line by line."""
BESIDE = (".txt", ".md", ".item", ".user", ".kg", ".link")
"""Endings of files that are no half of a pair: plain text, and RecBole's beside its `.inter`."""


def paired(files: list[Path]) -> dict[str, dict[str, Path]]:
    """Stem → ending → file, for files that differ in their ending only; empty when none are.

    Names with the split and the side in them are such too, as OpenNMT's `src-train.txt` and
    `tgt-train.txt`, or `train_en.txt` and `train_de.txt`.
    """
    stems: dict[str, dict[str, Path]] = {}
    for path in files:
        inner = Path(path.stem) if path.suffix.lower() in PACKED else Path(path.name)
        if inner.suffix and inner.suffix.lower() not in (*ENDINGS, *BESIDE, *PACKED):
            stems.setdefault(inner.stem, {})[inner.suffix[1:]] = path
        elif inner.suffix.lower() == ".txt" and (found := _sided(inner.stem)):
            stems.setdefault(found[0], {})[found[1]] = path
    for stem, ends in stems.items():
        texts = next((path for path in files if path.name == f"{stem}.txt"), None)
        if texts and {end.lower() for end in ends} <= LABEL_SIDES:
            ends["txt"] = texts
    # `cooking.train` and `cooking.valid` are parts, and no two sides.
    parts = [stem for stem, ends in stems.items() if all(map(split_named, ends))]
    sides = {stem: ends for stem, ends in stems.items() if stem not in parts}
    return {stem: ends for stem, ends in sides.items() if len(ends) > 1 and _belong(ends)}


def _belong(ends: Iterable[str]) -> bool:
    """Whether sides belong together: two texts, or the texts and their labels."""
    kinds = [end.lower() in LABEL_SIDES for end in ends]
    texts = [end.lower() in TEXT_SIDES for end in ends]
    return sorted(kinds) == [False, True] or not any((*kinds, *texts))


def _of_labels(ends: Iterable[str]) -> tuple[str, str] | None:
    """The side of texts and that of their labels, None for two texts."""
    found = sorted(ends, key=lambda end: end.lower() in LABEL_SIDES)
    if len(found) != 2 or found[1].lower() not in LABEL_SIDES:
        return None
    return found[0], found[1]


def _sided(stem: str) -> tuple[str, str] | None:
    """The split and the side of a name that has both, `("train", "src")`."""
    sides = SIDES | TEXT_SIDES | LABEL_SIDES
    if stem.lower() in (*sides, *CODES, *ENGLISH_NAMES):
        return "train", stem
    parts = re.split(r"[-_.]", stem)
    for side, rest in ((parts[0], parts[1:]), (parts[-1], parts[:-1])):
        known = side.lower() in sides or side.lower() in CODES
        if known and len(parts) > 1 and split_named("-".join(rest)):
            return "-".join(rest), side
    return None


def side_by_side(stems: dict[str, dict[str, Path]], folder: Path, request: DataRequest) -> Layout:
    """How files of the same stem are read: as two languages, or as one file for each label.

    Raises `ValueError` when it is not clear which two, and for a task that has no such files.
    """
    splits = _stems_of_splits(stems, folder)
    ends = splits["train"]
    labels = _of_labels(ends)
    labelled = request.first(lambda schema: schema.label_files) if labels else None
    if labels and labelled:
        found: dict[str, RowSource] = {
            split: ParallelFiles(
                paths[labels[0]],
                paths[labels[1]],
                (request.encoding_of(paths[labels[0]]), request.encoding_of(paths[labels[1]])),
            )
            for split, paths in splits.items()
            if {*labels} <= {*paths}
        }
        said = (f"line n of {ends[labels[1]].name} is the label of line n beside it",)
        return Layout(labelled, tuple(c.name for c in labelled.columns), found, said)
    schema = _schema_of_files(ends, folder, request)
    if schema.label_files:
        return labelled_files(
            schema, {split: sorted(paths.items()) for split, paths in splits.items()}, request
        )
    source, target = direction(sorted(ends), folder, request)
    notes: tuple[str, ...] = ()
    if request.source is None and request.target is None:
        notes = (
            f"for the other direction say source={target} and target={source} (--source {target} "
            f"--target {source})",
        )
    pairs: dict[str, RowSource] = {
        split: ParallelFiles(
            paths[source],
            paths[target],
            (request.encoding_of(paths[source]), request.encoding_of(paths[target])),
        )
        for split, paths in splits.items()
        if source in paths and target in paths
    }
    files = [path for rows in pairs.values() for path in rows.files]
    for path in files:
        refused = not_read_text(path, beginning(path, request.encoding_of(path)))
        if refused:
            raise ValueError(refused)
    if request.task is None:
        _require_no_tags(ends[source], ends[target], request)
    return Layout(schema, (source, target), pairs, (*request.encoding_notes(files), *notes))


def _require_no_tags(words: Path, tags: Path, request: DataRequest) -> None:
    """Raise `ValueError` where one file has the tags of the words in the other, line by line."""
    sides = {
        path: list(islice(lines(path, request.encoding_of(path)), 200)) for path in (words, tags)
    }
    fewer = min(map(len, sides.values()))
    held = {path.name: some[:fewer] for path, some in sides.items()}
    found = aligned_columns([profile(name, some) for name, some in held.items()], held)
    if any(each.sure for each in found):
        one, two = found[0].words, found[0].tags
        raise ValueError(
            f"line n of {two} has a tag for each word in line n of {one}; put both on one line to "
            f"learn them: paste {one} {two} > train.tsv"
        )


def labelled_files(
    schema: Schema,
    files: Mapping[str, Sequence[tuple[str, Path]]],
    request: DataRequest,
    notes: tuple[str, ...] = (),
    whole: bool = False,
) -> Layout:
    """How files of texts are read that have a label each.

    Args:
        files: split → labels with their files.
        whole: each file is one text.
    """
    found = request.encodings_of(path for some in files.values() for _, path in some)
    rows: dict[str, RowSource] = {
        split: LabelledFiles(tuple((label, path, found[path]) for label, path in some), whole)
        for split, some in files.items()
    }
    names = tuple(column.name for column in schema.columns)
    return Layout(schema, names, rows, (*encoding_notes(found, request.encoding), *notes))


def _schema_of_files(ends: Iterable[str], folder: Path, request: DataRequest) -> Schema:
    """By the endings: labels, else languages."""
    labelled = request.first(lambda schema: schema.label_files)
    parallel = request.first(lambda schema: schema.parallel)
    if labelled and (parallel is None or set(map(str.lower, ends)) <= LABEL_ENDINGS):
        return labelled
    if parallel:
        return parallel
    if request.first(lambda schema: schema.running_text):
        raise ValueError(f"{folder} holds files side by side; name one of them to read it as text")
    known = [schema.task for schema in request.schemas if schema.parallel or schema.label_files]
    raise ValueError(
        f"{folder} holds files side by side, {', '.join(sorted(ends))}, to "
        f"{' or to '.join(known) or 'do nothing known with'}; to "
        f"{' or '.join(schema.task for schema in request.candidates)}, give one table with its "
        "columns"
    )


def _stems_of_splits(stems: dict[str, dict[str, Path]], folder: Path) -> dict[str, dict[str, Path]]:
    found: dict[str, list[str]] = {}
    for stem in sorted(stems):
        found.setdefault(split_named(stem) or "other", []).append(stem)
    if "train" not in found and len(stems) == 1:
        return {"train": next(iter(stems.values()))}
    if len(found.get("train", ())) != 1:
        raise ValueError(
            f"{folder} holds files side by side named {', '.join(sorted(stems))}: which are to be "
            "trained on? Call them train, and the others valid and test (train.en, train.de)"
        )
    return {split: stems[found[split][0]] for split in SPLIT_NAMES if split in found}


def direction(ends: list[str], folder: Path, request: DataRequest) -> tuple[str, str]:
    """The endings of source and target: as asked, else English first, else by the alphabet."""
    for option, name in (("source", request.source), ("target", request.target)):
        if name is not None and name not in ends:
            hint = suggestion(name, ends)
            raise ValueError(f"{folder} has no file train.{name} ({option}); {hint}")
    free = [end for end in ends if end not in (request.source, request.target)]
    if request.source is None and request.target is None and len(free) > 2:
        free = [end for end in free if is_language(end)]
    free.sort(key=lambda end: (end.lower() != "en", end))
    wanted = [request.source is None, request.target is None]
    if len(free) != sum(wanted) and all(wanted) or len(free) != 1 and sum(wanted) == 1:
        raise ValueError(
            f"{folder} has training files ending in {', '.join(ends)}; say with source=... and "
            "target=... (--source and --target on the command line) which two to read"
        )
    return request.source or free[0], request.target or free[-1]
