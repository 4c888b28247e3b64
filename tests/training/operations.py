"""Every file operation of a piece of code, one by one, and what a folder looks like."""

import atexit
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

DEAD = 99
"""The exit code of a process that `die_at` ended."""


@contextmanager
def before_each(act: Callable[[int], object]) -> Iterator[list[str]]:
    """Call `act` with 0, 1, ... before the file operations of this thread; gives their names."""
    seen: list[str] = []

    def called(frame: FrameType, event: str, function: Any) -> None:
        module = getattr(function, "__module__", None)
        if event == "c_call" and module in ("posix", "_io", "io"):
            seen.append(function.__name__)
            act(len(seen) - 1)

    sys.setprofile(called)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def count(work: Callable[[], object]) -> int:
    """How many file operations something takes."""
    with before_each(lambda number: None) as seen:
        work()
    return len(seen)


def listing(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """All that is in a folder, with what tells whether it was touched."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        about = path.lstat()
        found[str(path)] = (about.st_ino, about.st_mode, about.st_size, about.st_mtime_ns)
    return found


_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def die_at(number: int, folder: Path, note: Path) -> None:
    """End this process for good before its change `number` of what is in a folder.

    It cannot be taken back. `note` says how many changes there were when it ends by itself.
    """
    seen = 0

    def change(event: str, name: object) -> None:
        nonlocal seen
        if seen == number:
            os._exit(DEAD)
        seen += 1

    _at_changes(folder, change)
    atexit.register(lambda: note.write_text(str(seen)))


def signal_at(step: int, numbers: Sequence[int]) -> None:
    """Let this process send itself signals, one after the other, after an update; never undone."""
    from regard.training.loop import Trainer

    update = Trainer._update

    def signalled(trainer: Trainer, *given: Any) -> None:
        before = trainer.state.step
        update(trainer, *given)
        if before < step == trainer.state.step:
            for number in numbers:
                os.kill(os.getpid(), number)

    Trainer._update = signalled  # type: ignore[method-assign]


def fail_from(number: int, code: int, folder: Path) -> None:
    """Let the disk be full, read-only or the like from change `number` on; never taken back.

    What only removes still works, unless nothing may be changed at all.
    """
    seen = 0

    def change(event: str, name: object) -> None:
        nonlocal seen
        seen += 1
        removes = event in ("os.remove", "os.rmdir") and code not in (errno.EROFS, errno.EACCES)
        if seen > number and not removes:
            raise OSError(code, os.strerror(code), *([name] if name is not None else []))

    _at_changes(folder, change)


def _at_changes(folder: Path, change: Callable[[str, object], None]) -> None:
    """Call `change` before every change of what is in a folder, for as long as this process is."""
    root = str(folder.resolve())

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and not arguments[2] & _WRITES:
            return
        if event in _CHANGES or event == "open":
            name = arguments[0]
            # Within a folder that is open already, a name has no folder.
            inside = event in ("os.remove", "os.rmdir") and arguments[-1] != -1
            if inside or isinstance(name, (str, bytes, os.PathLike)) and within(name):
                change(event, name)

    def within(name: Any) -> bool:
        path = os.path.abspath(os.fsdecode(name))
        return path.startswith(root) and not path.endswith((".txt", ".changes"))

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            change(call.__name__, None)
            return call(*given, **named)

        return called

    os.write, os.fsync = counted(os.write), counted(os.fsync)  # type: ignore[assignment]
    sys.addaudithook(audit)
