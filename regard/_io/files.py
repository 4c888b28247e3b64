"""Files that are written whole or not at all, and JSON that is read with suspicion."""

import errno
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from regard._io.leftovers import temporary_name
from regard._printable import shortened, shown

MAX_JSON_BYTES = 16 * 2**20
MAX_DEPTH = 100
"""Lists and tables within each other."""
MAX_DIGITS = 40
"""Of a whole number; the seeds of generators have the most, 39."""

POINTER = b"version https://git-lfs.github.com/spec/"
POINTS = "a pointer of Git LFS, and not the file itself; fetch it with: git lfs pull"
"""How what Git leaves in the place of a large file begins, and what it is."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON spells halves of characters, which stand in pairs where they mean one."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of one."""
    temporary = path.with_name(temporary_name(path.name))
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def open_file(path: Path) -> BufferedReader:
    """Open a file to read it.

    Raises `FileNotFoundError` when there is none, and `ValueError` for one that cannot be read and
    for what is no file: a folder, a pipe or a device, which may never end.
    """
    try:
        # A pipe would wait here for somebody to write, were it not opened so.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return open(handle, "rb")
    os.close(handle)
    why = os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else "it is a pipe or a device, no file"
    raise ValueError(f"{path} cannot be read: {why}")


def read_file(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """The bytes of a file of a reasonable size, looked at before any of it is read.

    Raises what `open_file` does, and `ValueError` for more than `most` bytes, and for what Git
    leaves in the place of a large file.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"{path} has {size:,} bytes, more than the {most:,} allowed")
        content = file.read(most)
    if content.startswith(POINTER):
        raise ValueError(f"{path} is {POINTS}")
    return content


def read_json_file(path: Path) -> Any:
    """What `read_json` reads of a file that `read_file` reads; `ValueError` names the file."""
    content = read_file(path)
    try:
        return read_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; copy the whole run folder again") from None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """The name of a file to write; it becomes this one at the end, and is gone after an error."""
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.absolute().parent)


def read_json(text: str | bytes, most: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON, refusing what `json` lets pass.

    That is repeated keys, NaN and numbers beyond all bounds, halves of characters, and what is too
    deep or too long; what is refused costs no more time than what is read.

    Raises `ValueError` for all of these.

    >>> read_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'a' stands twice
    """
    if len(text) > most:
        raise ValueError(f"{len(text):,} bytes of JSON are more than the {most:,} allowed")
    try:
        found = json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_constant=_refuse,
            parse_int=_whole,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not {error.encoding}") from None
    require_shallow(found)
    if _HALF.search(text if isinstance(text, str) else text.decode("utf-8", "replace")):
        _require_characters(found)
    return found


def require_shallow(value: Any) -> None:
    """Raise `ValueError` for lists and tables that stand within each other more than 100 deep.

    >>> require_shallow({"sizes": [1, 2]})
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            held
            for each in level
            if isinstance(each, (dict, list, tuple))
            for held in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"lists and tables stand within each other more than {MAX_DEPTH} deep")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(twice)} stands twice")
    return entries


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits, more than {MAX_DIGITS}")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {shortened(digits)} is larger than any")
    return number


def _require_characters(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"it holds {half!r}, half a character") from None


def sync_folder(folder: Path) -> None:
    """Make renames in a folder outlast a power cut, where the system can.

    Raises `OSError` when the disk fails; that folders cannot be opened or synchronized is none.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(handle)
