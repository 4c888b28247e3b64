"""A folder that is replaced atomically, and read consistently by others.

Besides `best/`, which is read, `.best-filling/` is the next one while it is written, `.best-new/`
the next one when it is complete, and `.best-old/` the previous one while it is removed.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from regard._io.files import sync_folder

Found = TypeVar("Found")

LOOKS = 3
"""At nothing, before there is nothing: a folder that is being replaced may be missed once."""


def replace_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then replace `target` with it.

    Only one process at a time may do so. A crash leaves the old one, the new one, or (between two
    renames) the new one under the name that `settle` and readers look for.
    """
    filling, new, old = (_beside(target, name) for name in ("filling", "new", "old"))
    settle(target)
    filling.mkdir(parents=True)
    try:
        write(filling)
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise
    os.rename(filling, new)
    if target.exists():
        os.rename(target, old)
    os.rename(new, target)
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def settle(target: Path) -> None:
    """Finish what a crash interrupted in `replace_folder`; only for the process that may write."""
    for name in ("new", "old"):
        left = _beside(target, name)
        if left.is_dir() and not target.exists():
            # `new` is whole, and `target` is missing only while `new` is there.
            os.rename(left, target)
    for name in ("filling", "new", "old"):
        shutil.rmtree(_beside(target, name), ignore_errors=True)


def standing(target: Path) -> Path | None:
    """The folder's current path, which may be between two names; None if there is none."""
    return next((place for place in _places(target) if place.is_dir()), None)


def holds(target: Path, *names: str) -> bool:
    """Whether the folder, at its current path, has one of these files."""
    return any((place / name).exists() for place in _places(target) for name in names)


def read_folder(target: Path, read: Callable[[Path], Found], seconds: float = 60.0) -> Found:
    """The result of `read` on the folder, which another process may replace meanwhile.

    It is retried until nothing was replaced while it read, so that it saw one complete folder, for
    up to `seconds`. Nothing is written.

    Raises `FileNotFoundError` when there is no folder, `RuntimeError` when it is replaced faster
    than it can be read, and what `read` raises for a folder that was not replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     best = Path(folder, "best")
    ...     replace_folder(best, lambda new: new.joinpath("a").write_text("1") and None)
    ...     read_folder(best, lambda place: (place / "a").read_text())
    '1'
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = _seen(target)
        if before is None:
            raise FileNotFoundError(f"there is no folder {target}")
        try:
            found = read(before[0])
        except Exception:
            if _seen(target) == before:
                raise
        else:
            if _seen(target) == before:
                return found
    raise RuntimeError(
        f"{target} was replaced again and again for {seconds:g} s while it was read; "
        "try again, or copy the folder first"
    )


def _seen(target: Path) -> tuple[Path, int, int, int, int] | None:
    """The folder as it can be told from the next one, which may get the number of an older one."""
    for _ in range(LOOKS):
        place = standing(target)
        try:
            if place is not None:
                about = place.stat()
                return place, about.st_dev, about.st_ino, about.st_mtime_ns, about.st_ctime_ns
        except FileNotFoundError:
            continue
    return None


def _places(target: Path) -> list[Path]:
    """Where to look for the folder, in this order; a second time too, for it may have moved."""
    # What is asked for as `.` has no name here, and cannot be between two.
    beside = [_beside(target, name) for name in ("new", "old")] if target.name else []
    return [target, *beside] * LOOKS


def _beside(target: Path, name: str) -> Path:
    return target.with_name(f".{target.name}-{name}")
