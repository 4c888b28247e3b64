"""What tables say of pictures and sounds, and no task reads: boxes, pixels, recordings."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regard.data.reading.profile import is_missing

_BOXES = (
    frozenset(("xmin", "ymin", "xmax", "ymax")),
    frozenset(("x_min", "y_min", "x_max", "y_max")),
    frozenset(("x1", "y1", "x2", "y2")),
    frozenset(("bbox",)),
    frozenset(("bbox_x", "bbox_y")),
)
"""What the columns of boxes are called."""
_PIXELS = re.compile(r"pixel[ _-]?\d+|\d+x\d+")
_NUMBERS = re.compile(r"\d{1,3}([ ,]+\d{1,3}){40,}")
_ENCODED = ("iVBORw0KGgo", "/9j/", "R0lGOD", "data:image/")
"""How pictures begin that are written in base64."""
RECORDED = (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".mp4", ".avi", ".mov", ".webm", ".mkv")
"""Endings of files of sound and of moving pictures."""
_NEARLY = 0.9
_MANY = 10
"""Columns of pixels from which on they are a picture."""


def unread_media(values: Mapping[str, Sequence[Any]]) -> str:
    """What a table has of these, with the way out; "" where it has none.

    >>> unread_media({"file": ["a.wav", "b.wav"], "label": ["yes", "no"]}).partition(",")[0]
    'names files of sound or moving pictures (file: a.wav)'
    """
    names = {name.strip().lower() for name in values}
    boxes = next((each for each in _BOXES if each <= names), None)
    pictures = next((name for name, some in values.items() if _are(some, _is_picture)), None)
    if boxes and pictures:
        return (
            f"marks boxes in pictures ({', '.join(sorted(boxes))}), which are not read; write a "
            "row for each picture: image,label, or name --image and --label"
        )
    pixels = [name for name in values if _PIXELS.fullmatch(name.strip().lower())]
    listed = [name for name, some in values.items() if _are(some, _NUMBERS.fullmatch)]
    if len(pixels) >= _MANY or listed:
        return (
            f"holds the pixels of pictures as numbers ({(listed or pixels)[0]}), which are not "
            "read; write them as files of pictures, and a table: image,label"
        )
    for name, some in values.items():
        first = next((str(each) for each in some if not is_missing(each)), "")
        if _are(some, lambda text: text.startswith(_ENCODED)):
            return (
                f"holds pictures in base64 ({name}), which are not read; write them as files, and "
                "their paths in their place"
            )
        if _are(some, lambda text: text.lower().endswith(RECORDED)):
            return (
                f"names files of sound or moving pictures ({name}: {first[:40]}), which are not "
                "read; name the columns of texts and labels to learn these alone (--text, --label)"
            )
    return ""


def _is_picture(text: str) -> bool:
    return text.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".webp"))


def _are(values: Sequence[Any], such: Any) -> bool:
    texts = [each.strip() for each in values if isinstance(each, str) and each.strip()]
    return len(texts) > 1 and sum(bool(such(text)) for text in texts) >= _NEARLY * len(values)
