"""Pictures as cells: the name of a file and its bytes, told to be a picture by how they begin."""

import re
from pathlib import Path
from typing import Any

from regard.data.reading.paths import not_there
from regard.data.schema import Cell

PICTURE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)
"""Endings of files that are pictures by their name."""
MAX_BYTES = 2**28
"""Bytes of one picture."""

_MARKS = (
    *((b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP")),
    *((b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"RIFF", "WebP")),
    *((f"P{n}".encode() + space, "PNM") for n in range(1, 7) for space in (b"\n", b" ", b"\r")),
)
_NOT_READ = (
    (rb"....ftyp(hei[cmsx]|hev[cx]|mif1|msf1)", "HEIC, as phones write it", "save it as JPEG"),
    (rb"....ftypavi[fs]", "AVIF", "save it as PNG"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL", "save it as PNG"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000", "save it as PNG"),
    (rb"8BPS", "a file of Photoshop", "save it as PNG"),
    (rb"\0\0\x01\0", "an icon", "save it as PNG"),
    (rb"%PDF", "a PDF", "save its pages as PNG"),
    (rb"\s*(<\?xml[^>]*>\s*)?<svg", "SVG, which has no pixels", "draw it as PNG"),
    (rb"(?i)\s*<(!doctype html|html)", "a page of the web", "download the picture again"),
)
"""How other files begin that are named as pictures, what they are, and what to do."""


class PictureCell(bytes):
    r"""A picture as a cell of a corpus: the name of its file, a zero byte, and the file's bytes.

    >>> cell = PictureCell.of("cat/1.png", b"\x89PNG")
    >>> cell, PictureCell(bytes(cell)).name, cell.content
    (b'cat/1.png\x00\x89PNG', 'cat/1.png', b'\x89PNG')
    """

    @classmethod
    def of(cls, name: str, content: bytes) -> "PictureCell":
        """The cell of a picture; a name is cut at a zero byte, which no system has in one."""
        return cls(name.partition("\0")[0].encode(errors="replace") + b"\0" + content)

    @property
    def name(self) -> str:
        """Of the file."""
        return self.partition(b"\0")[0].decode()

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.partition(b"\0")[2]


class UnreadablePictureError(ValueError):
    """A picture that is empty, damaged, truncated or too large, or bytes that are no picture."""


class NoPicture(PictureCell):
    """The cell of bytes that begin as no picture does, or of too many bytes, and why it is none."""

    why: str

    @classmethod
    def because(cls, name: str, content: bytes, why: str) -> "NoPicture":
        """The cell, with a sentence that names the place."""
        found = cls(cls.of(name, content))
        found.why = why
        return found


def picture_format(head: bytes) -> str | None:
    """What format of pictures some first bytes begin, None for something else.

    >>> picture_format(b"GIF89a"), picture_format(b"RIFF....WAVE"), picture_format(b"P,label")
    ('GIF', None, None)
    """
    found = next((kind for mark, kind in _MARKS if head.startswith(mark)), None)
    return None if found == "WebP" and head[8:12] != b"WEBP" else found


def is_picture_name(name: str) -> bool:
    """Whether a file is a picture by its ending.

    >>> is_picture_name("cat/1.JPG"), is_picture_name("cat.txt")
    (True, False)
    """
    return name.lower().endswith(PICTURE_ENDINGS)


def is_picture_file(path: Path) -> bool:
    """Whether a file that is there begins as a picture does."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return picture_format(file.read(16)) is not None


def read_picture(path: Path) -> PictureCell:
    """The picture in a file, called by its path; `NoPicture` where it is none."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            why = f"{path} has {size:,} bytes, more than a picture may ({MAX_BYTES:,})"
            return NoPicture.because(str(path), b"", why)
        content = path.read_bytes()
    except OSError as error:
        to = f" to {path.readlink()}, which is not there" if path.is_symlink() else ""
        why = f"{path} is a link{to}" if to and not path.exists() else f"{path}: {error.strerror}"
        return NoPicture.because(str(path), b"", f"{why}; take it out, or put a picture there")
    return picture_cell(str(path), content, str(path))


def picture_cell(name: str, content: bytes, where: str) -> PictureCell:
    """A picture of these bytes; `NoPicture` where they begin as none does."""
    if not content:
        return NoPicture.because(name, content, f"{where} is empty; it should be a picture")
    if picture_format(content[:16]) is None:
        why = f"{where} is no picture{_instead(content[:256])}"
        return NoPicture.because(name, content, why)
    return PictureCell.of(name, content)


def _instead(head: bytes) -> str:
    known = next((row for row in _NOT_READ if re.match(row[0], head, re.DOTALL)), None)
    read = "PNG, JPEG, GIF, BMP, WebP, TIFF and PNM"
    if known is None:
        return f": it begins with {head[:8]!r}; read are {read}"
    return f" that is read ({read}): it is {known[1]}; {known[2]}"


def checked_picture(cell: Cell) -> Any:
    """The cell itself; raises `UnreadablePictureError` for `NoPicture`."""
    if isinstance(cell, NoPicture):
        raise UnreadablePictureError(cell.why)
    return cell


def picture_in(value: Any, where: str, column: str, folder: Path) -> bytes:
    """The picture that a value of a table is: bytes, a struct of the Hub's, or the path of a file.

    A relative path is one from the table's folder, or else from the working directory. Nothing
    gives b"", and bytes that are no picture `NoPicture`.

    Raises `ValueError` with the place for any other value, and for a file that is not there.
    """
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        if content is None and isinstance(path, str) and path:
            return _at(path, where, folder)
        name, value = (path if isinstance(path, str) and path else where), content
    else:
        name = where
    if value is None or value == "" or value == b"":
        return b""
    if isinstance(value, (bytes, bytearray)):
        return picture_cell(name, bytes(value), f"{where}: {column!r}")
    if isinstance(value, str):
        return _at(value.strip(), where, folder) if value.strip() else b""
    raise ValueError(
        f"{where}: {column!r} must be a picture, its bytes or the path of its file; it is "
        f"{type(value).__name__}"
    )


def picture_path(name: str, folder: Path) -> Path | None:
    """The file that a path in a table means, None where it is not there."""
    try:
        places = (folder / name, Path(name))
        return next((place for place in places if place.is_file()), None)
    except (OSError, ValueError):
        return None


def _at(name: str, where: str, folder: Path) -> PictureCell:
    path = picture_path(name, folder)
    if path is None and "://" in name:
        raise ValueError(
            f"{where}: {name[:80]} is an address; pictures are read from files: download them, and "
            "write their paths"
        )
    if path is None:
        raise ValueError(
            f"{where}: {not_there(folder / name)}; paths count from the table's folder"
        )
    return read_picture(path)
