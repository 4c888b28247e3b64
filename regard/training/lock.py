"""One trainer at a time in a run folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regard._io.faults import writing

NAME = ".lock"
_HELD: set[Path] = set()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder; the system releases it when this process ends, however it ends.

    The lock file remains, with the process id of the last holder; its presence alone means nothing.

    Raises `BlockingIOError` with that id while another process holds the lock.
    """
    place = folder.resolve()
    if place in _HELD:
        # Closing a second handle of the same file would let go of the first one's lock.
        raise _busy(folder, str(os.getpid()))
    with writing(folder):
        handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            # Of this process alone: one it forks, to prepare batches, does not inherit it and so
            # cannot hold the folder for a while after this one was killed.
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise _busy(folder, holder) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        _HELD.add(place)
        yield
    finally:
        _HELD.discard(place)
        os.close(handle)


def _busy(folder: Path, holder: str) -> BlockingIOError:
    return BlockingIOError(
        f"process {holder} is training in {folder}; wait for it, stop it (kill {holder}), or "
        "train in another folder (--out)",
    )
