"""What the system says when a file fails, as a sentence about a file that the user knows."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAYS_OUT = {
    errno.ENOSPC: "make room and start again",
    errno.EDQUOT: "make room in your quota and start again",
    errno.EFBIG: "allow larger files (ulimit -f) and start again",
    errno.EROFS: "give a folder that can be written (--out)",
    errno.EACCES: "allow it (chmod), or give another one",
    errno.EPERM: "allow it (chmod), or give another one",
    errno.EMFILE: "allow more open files (ulimit -n), or take fewer workers, and start again",
    errno.ENFILE: "allow the system more open files and start again",
    errno.EIO: "the disk itself fails: copy what you need from it to another one",
}
_OURS = re.compile(r"\.(encoding-|reading-|tmp-|best-|.*\.tmp$).*")
"""Names that only this library gives, for what is not yet what it will be."""


def sentence(error: BaseException) -> str:
    """What an error says, without the system's numbers and without names of temporary files.

    >>> sentence(OSError(28, "No space left on device", "runs/films/.encoding-b1n5df6x/rows"))
    'runs/films: No space left on device; make room and start again'
    >>> sentence(ValueError("the label is missing"))
    'the label is missing'
    """
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    name = error.filename
    place = f"{_known(Path(os.fsdecode(name)))}: " if isinstance(name, (str, bytes)) else ""
    return place + reason(error)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Say in one sentence which file could not be written, why, and what to do.

    Raises `OSError` with it; one that is a sentence already, or of a file that stands elsewhere,
    passes as it is.
    """
    try:
        yield path
    except OSError as error:
        if error.errno is None or _is_of_another(error, path):
            raise
        raise OSError(
            f"{path} could not be written: {_reason(error)}; {_room(path.parent, error)}what was "
            f"saved before is kept: {WAYS_OUT.get(error.errno, 'mend that and start again')}"
        ) from error


def reason(error: BaseException) -> str:
    """Why something failed, and the way out where one is known; what failed is not named."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    return "; ".join(part for part in (_reason(error), WAYS_OUT.get(error.errno)) if part)


def _room(folder: Path, error: OSError) -> str:
    """How much room there is, where that may be what was lacking."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    try:
        room = os.statvfs(folder)
    except OSError:
        return ""
    return f"{room.f_bavail * room.f_frsize:,} bytes are free there; "


def _is_of_another(error: OSError, path: Path) -> bool:
    """Whether an error names a file that is not in the folder of what is written."""
    if not isinstance(error.filename, (str, bytes)):
        return False
    known, own = _known(Path(os.fsdecode(error.filename)).absolute()), path.absolute()
    return known != own.parent and not known.is_relative_to(own)


def _known(path: Path) -> Path:
    """The file that the user knows: without the part that is temporary, and what is in it."""
    for number, part in enumerate(path.parts):
        if _OURS.fullmatch(part):
            return Path(*path.parts[:number])
    return path


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
