"""Which files of a folder are which part of the data, by their names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from regard._io.files import read_json
from regard.data.reading.compression import BESIDE, PACKED, inner_suffix
from regard.data.reading.lines import MAX_LINE_BYTES, beginning
from regard.data.reading.not_read import not_read_json, not_read_text
from regard.data.reading.pictures import PICTURE_ENDINGS, is_picture_name
from regard.data.reading.request import SPLIT_NAMES, split_of_part
from regard.data.reading.tables import ENDINGS
from regard.data.reading.text_encoding import AUTO

_REFUSED = 5
"""Files that are looked at for a format that is not read, where it is not clear which is meant."""

Files = Mapping[str, tuple[Path, ...]]
"""The files of each split, in the order in which they are read."""

_SHARD = re.compile(r"(.*?)[-_.]?\d{1,5}-of-\d{1,5}(-[0-9a-f]{8,40})?")
_PART = re.compile(r"(.*?)[-_.](?:part[-_.]?)?\d{1,5}([-_.].*)?")
_DATED = re.compile(r"(.*?)[-_.]?\d{4}[-_.]?\d{2}([-_.]?\d{2})?")
_BESIDE = (*BESIDE, "vocab", "urls_")


def files_in(folder: Path, files: Sequence[Path]) -> Files:
    """The files of each split in a folder without paired files, or in its folders `train`, `test`.

    A split in several files, `train-00000-of-00002.parquet`, is read one behind the other; so are
    plain texts that are called nothing else.

    Raises `ValueError` when it is not clear which are to be trained on.
    """
    usable = [p for p in files if _is_data(p)]
    inner = [p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."]
    deeper = [p for p in inner if any(map(_is_table, p.iterdir()))] if not usable else []
    others = [p for p in files if not p.name.lower().startswith(_BESIDE)]
    unlike = (".md", ".log", *PICTURE_ENDINGS)
    usable = usable or [p for p in others if p.suffix.lower() not in unlike]
    usable = usable or [p for p in others if p.suffix.lower() == ".md"]
    found: dict[str, list[Path]] = {}
    for path in usable:
        split = split_of_part(stem_of(path))
        if split:
            found.setdefault(split, []).append(path)
    nested = {} if found else _nested(folder)
    if nested:
        return nested
    if not usable and len(inner) == 1:
        return files_in(inner[0], sorted(p for p in inner[0].iterdir() if p.is_file()))
    if not usable and any(is_picture_name(path.name) for path in folder.rglob("*.*")):
        raise ValueError(
            f"{folder} holds pictures without labels; put those of each label into a folder of its "
            "own (cat/1.png, dog/2.png), or write a table of their paths and labels beside them, "
            "to learn them with --task image_classify"
        )
    if usable and deeper and not any(map(_is_data, usable)):
        raise ValueError(
            f"{folder} holds {', '.join(p.name for p in usable[:5])} and tables in its folder "
            f"{deeper[0].name}; to learn these, name it: --data {deeper[0]}"
        )
    if not found and len(usable) == 1:
        return {"train": (usable[0],)}
    texts = bool(usable) and all(path.suffix.lower() in (".txt", ".md") for path in usable)
    if not found and (texts or _are_shards(usable)):
        return {"train": tuple(usable)}
    several = [s for s, some in found.items() if len(some) > 1 and not _are_shards(some)]
    if "train" not in found or set(several) & {"train", "valid"}:
        names = ", ".join(p.name for p in usable[:10])
        if not names and inner:
            folders = ", ".join(sorted(p.name for p in inner)[:10])
            train = next((p for p in inner if split_of_part(p.name) == "train"), None)
            if train is not None:
                held = ", ".join(sorted(p.name for p in train.iterdir())[:10]) or "nothing"
                raise ValueError(
                    f"{folder} holds the folders {folders}, and {train.name} holds {held}, of "
                    "which it is not clear how they are read; write a table, or one file in each"
                )
            raise ValueError(
                f"{folder} holds the folders {folders}: which is to be trained on? Name one of "
                "them, or call one train"
            )
        if not names:
            raise ValueError(f"{folder} holds no file that is data")
        refused = next(filter(None, map(_refused, usable[:_REFUSED])), None)
        if refused:
            raise ValueError(refused)
        raise ValueError(
            f"{folder} holds {names}: which is to be trained on? Name one file, or call one of "
            f"them train (train.tsv, train.txt, train.en and train.de){_together(folder, usable)}"
        )
    return {
        split: tuple(found[split] if split not in several else found[split][:1])
        for split in SPLIT_NAMES
        if split in found
    }


def _together(folder: Path, files: Sequence[Path]) -> str:
    """How files of one kind are read together, where they may be meant so."""
    endings = {path.suffix.lower() for path in files}
    stems = {path.stem.lower(): path.name for path in files}
    if {"x_train", "y_train"} <= {*stems}:
        both = f"{stems['x_train']} {stems['y_train']}"
        return f"; put texts and labels side by side: paste -d, {both} > train.csv"
    if endings == {".json"} and len(files) > 2:
        return "; if each holds one object, join them: jq -c . *.json > all.jsonl"
    if len(endings) == 1 and _is_table(files[0]):
        return f"; all of them are read with --data '{folder}/*{files[0].suffix}'"
    return ""


def _refused(path: Path) -> str | None:
    """What is wrong with a file of a format that is known and not read."""
    if path.is_dir() or path.stat().st_size > MAX_LINE_BYTES:
        return None
    try:
        head = beginning(path, AUTO)
        document = read_json(head) if inner_suffix(path) == ".json" else None
    except ValueError:
        return None
    return not_read_text(path, head) or (not_read_json(path, document) if document else None)


def left_out(files: Files) -> tuple[str, ...]:
    """The names of data beside files that are read, which is not read."""
    used = {path for some in files.values() for path in some}
    folders = dict.fromkeys(path.parent for path in files["train"])
    beside = (path for folder in folders for path in sorted(folder.iterdir()))
    return tuple(
        path.name
        for path in beside
        if path not in used and path.is_file() and path.name[0] not in "._" and _is_data(path)
    )


def stem_of(path: Path) -> str:
    """The name of a file without its endings and the number of a shard.

    >>> stem_of(Path("train-00000-of-00002.parquet")), stem_of(Path("test.csv.gz"))
    ('train', 'test')
    """
    known = (*PACKED, *ENDINGS, ".txt", ".tokens", ".raw")
    stem = path.stem if path.suffix.lower() in known else path.name
    stem = Path(stem).stem if path.suffix.lower() in PACKED else stem
    shard = _SHARD.fullmatch(stem)
    return shard[1] if shard else stem


def _is_data(path: Path) -> bool:
    if path.name.lower().startswith(_BESIDE):
        return False
    return path.is_dir() or inner_suffix(path) in (*ENDINGS, ".txt")


def _is_table(path: Path) -> bool:
    return path.is_file() and inner_suffix(path) in ENDINGS


def _are_shards(files: Sequence[Path]) -> bool:
    """Whether files are parts of one, by numbers in their names alone."""
    stems = set()
    for path in files:
        shard, part = _SHARD.fullmatch(path.stem), _PART.fullmatch(path.stem)
        dated = _DATED.fullmatch(path.stem)
        stems.add(
            shard[1] if shard else dated[1] if dated else part.groups() if part else path.stem
        )
    return len(files) > 1 and len(stems) == 1 and len({p.suffix for p in files}) == 1


def _nested(folder: Path) -> Files:
    """The files in folders called after the splits."""
    found: dict[str, tuple[Path, ...]] = {}
    for inner in sorted(p for p in folder.iterdir() if p.is_dir()):
        split = split_of_part(inner.name)
        files = sorted(p for p in inner.iterdir() if p.is_file() and _is_data(p))
        if split and files and (len(files) == 1 or _are_shards(files)):
            found[split] = tuple(files)
    return {s: found[s] for s in SPLIT_NAMES if s in found} if "train" in found else {}
