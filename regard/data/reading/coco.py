"""COCO's captions: a list of pictures, and one of what is said of them.

References:
    Xinlei Chen, Hao Fang, Tsung-Yi Lin, Ramakrishna Vedantam, Saurabh Gupta, Piotr Dollar,
    C. Lawrence Zitnick. Microsoft COCO Captions: Data Collection and Evaluation Server. 2015.
    https://arxiv.org/abs/1504.00325
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regard.data.reading.folders import Files
from regard.data.reading.request import SPLIT_NAMES, split_named
from regard.data.reading.tables import Listed, PlacedRow

_NAME = re.compile(r"captions?([-_.]?(train|val|valid|dev|test)\d*)?", re.IGNORECASE)


def coco_captions(path: Path, document: Any) -> Listed | None:
    """The captions in such a document with the files of their pictures, None for another one.

    Raises `ValueError` for a caption of a picture that is not listed.
    """
    if not isinstance(document, dict):
        return None
    images, notes = document.get("images"), document.get("annotations")
    if not isinstance(images, list) or not isinstance(notes, list) or not images or not notes:
        return None
    if not all(isinstance(each, dict) for each in (*images, *notes)):
        return None
    if "file_name" not in images[0] or not {"image_id", "caption"} <= {*notes[0]}:
        return None
    files = {each.get("id"): each.get("file_name") for each in images}

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, note in enumerate(notes, 1):
            where, picture = f"{file} annotation {number}", note.get("image_id")
            if picture not in files:
                raise ValueError(f"{where}: there is no image with the id {picture!r}")
            yield where, (files[picture], note.get("caption"))

    return Listed(path, ("image", "caption"), rows, ("COCO's captions of images",))


def caption_documents(folder: Path) -> Files:
    """The files of captions of each split in a folder or one in it, such as `annotations`.

    The only one is trained on, whichever part it is.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        match = _NAME.fullmatch(path.stem)
        if match:
            found.setdefault(split_named(match[2] or "train") or "train", (path,))
    if len(found) == 1:
        return {"train": next(iter(found.values()))}
    return {s: found[s] for s in SPLIT_NAMES if s in found} if "train" in found else {}
