"""Temporary files, whose names say who writes them, so that those of the dead can be removed."""

import os
import re
import shutil
from pathlib import Path

_HOST = re.sub(r"[^A-Za-z0-9-]", "-", os.uname().nodename)[:64]
_NAME = re.compile(r"\..*\.([A-Za-z0-9-]+)\.([0-9]+)(?:\.[0-9a-z_]+)?\.tmp")


def temporary_name(name: str) -> str:
    """What a file is called until it is whole: the host and the process that writes it are in it.

    >>> removable(temporary_name("config.toml")), removable("config.toml"), removable(".x.tmp")
    (False, False, False)
    """
    return f".{name}.{_HOST}.{os.getpid()}.tmp"


def removable(name: str) -> bool:
    """Whether it is the temporary file of a process of this host that no longer lives."""
    found = _NAME.fullmatch(name)
    return found is not None and found[1] == _HOST and not lives(int(found[2]))


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this host that no longer live were writing into a folder."""
    for name in os.listdir(folder) if folder.is_dir() else []:
        if removable(name):
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def lives(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
