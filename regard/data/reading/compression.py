"""Files as they are, or as they are inside gzip, bzip2, xz or a zip of one file."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

BESIDE = ("readme", "license", "licence", "citation")
"""How files begin that say something about the data beside them."""
PACKED = (".gz", ".bz2", ".xz", ".zip")
"""Endings of files that hold another file."""

_OPENERS: dict[bytes, Callable[[Path], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ZIP = b"PK\x03\x04"


def open_plain(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where it is packed.

    Raises `ValueError` for a zip that holds another number of files than one, and where damage is
    met.
    """
    with open(path, "rb") as file:
        head = file.read(6)
    if head.startswith(_ZIP) and path.suffix.lower() == ".zip":
        return _unzipped(path)
    opener = next((each for mark, each in _OPENERS.items() if head.startswith(mark)), None)
    if opener is None:
        return open(path, "rb")
    return cast(BinaryIO, io.BufferedReader(_Unpacked(path, cast(BinaryIO, opener(path)))))


class _Unpacked(io.RawIOBase):
    """What is in a packed file; damage is a `ValueError` that names it."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        try:
            part = self._file.read(len(buffer))
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self._path} is damaged, it cannot be unpacked: {error}") from None
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()


def inner_name(path: Path) -> str:
    """The name of the file that is read: that inside a packed one.

    >>> inner_name(Path("films.csv.gz")), inner_name(Path("films.csv"))
    ('films.csv', 'films.csv')
    """
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        return Path(_only_member(path)).name
    return path.stem if path.suffix.lower() in PACKED else path.name


def inner_suffix(path: Path) -> str:
    """The ending of the file that is read, in lower case.

    >>> inner_suffix(Path("films.CSV.gz"))
    '.csv'
    """
    return Path(inner_name(path)).suffix.lower()


@contextmanager
def zip_file(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive; raises `ValueError` where it is damaged, or packed in a way of its own."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except Exception as error:  # it meets damage with whatever it trips over
        raise ValueError(f"{path} is not a zip file that can be read: {error}") from None


def is_packed(path: Path) -> bool:
    """Whether a file's bytes are not its text."""
    with open(path, "rb") as file:
        head = file.read(6)
    return head.startswith((_ZIP, *_OPENERS))


def _unzipped(path: Path) -> BinaryIO:
    name = _only_member(path)
    with zip_file(path) as archive:
        locked = archive.getinfo(name).flag_bits & 1
        inner = None if locked else cast(BinaryIO, archive.open(name))
    if inner is None:
        raise ValueError(f"{path} is locked with a password; unpack it first")
    return cast(BinaryIO, io.BufferedReader(_Unpacked(path, inner)))


def _only_member(path: Path) -> str:
    with zip_file(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    # What a Mac adds of its own, and what is said of the data.
    names = [name for name in names if not name.startswith("__MACOSX/")]
    named = {name: Path(name).name.lower() for name in names}
    names = [name for name in names if not named[name].startswith(".")]
    telling = [name for name in names if not named[name].startswith(BESIDE)]
    names = telling if len(telling) == 1 else names
    if len(names) != 1:
        listed = ", ".join(names[:4]) or "no file"
        raise ValueError(
            f"{path} holds {len(names)} files ({listed}), and one table can be read from a zip; "
            "unpack it and name the folder"
        )
    return names[0]
