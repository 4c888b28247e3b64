"""Files that are written whole or not at all, and JSON that is read with suspicion."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from regard._io.leftovers import temporary_name

MAX_JSON_BYTES = 16 * 2**20


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


def read_bounded(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """The content of a plain file of at most `most` bytes, of which no more are ever read.

    Raises `ValueError` for a longer one and for a device or a pipe, which may have no end.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("it is not a plain file")
    if about.st_size > most:
        raise ValueError(f"it has {about.st_size:,} bytes, more than the {most:,} allowed")
    with open(path, "rb") as file:
        return file.read(most)


def read_json_file(path: Path) -> Any:
    """Parse a file of JSON as `read_json` does, once its size is known to be bearable."""
    return read_json(read_bounded(path))


def read_json(text: str | bytes, most: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON, refusing what `json` lets pass: repeated keys, NaN, and what is too deep or long.

    Raises `ValueError` for all of these.

    >>> read_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'a' stands twice
    """
    if len(text) > most:
        raise ValueError(f"{len(text)} bytes of JSON are more than the {most} allowed")
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
    return entries


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


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
