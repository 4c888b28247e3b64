"""The files that a user's words for data name: `~`, patterns, and several with commas between."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from glob import glob
from pathlib import Path

from regard._printable import shortened

MOST = 10_000
"""Files that a pattern may name."""
LONGEST_NAME = 20
"""Lines that the name of one file may have."""


def files_of(text: str) -> tuple[Path, ...]:
    r"""The paths that a text names: one, those of a pattern such as `data/*.csv`, or several.

    Several are written with a line feed between (as the command line joins repeated options); a
    name that holds one itself is understood where there is such a file. One that is named again
    comes again.

    Raises `FileNotFoundError` for a pattern that nothing matches, `ValueError` for what is an
    address of the network or of another system.

    >>> files_of("films.csv")
    (PosixPath('films.csv'),)
    """
    found: list[Path] = []
    for name in _names_in(text):
        _require_local(name)
        path = Path(os.path.expanduser(name))
        if any(mark in name for mark in "*?[") and not path.exists():
            matching = sorted(glob(str(path), recursive=True))
            if not matching:
                raise FileNotFoundError(f"{name} matches no file")
            if len(matching) > MOST:
                raise ValueError(f"{name} matches {len(matching):,} files; name their folder")
            found += map(Path, matching)
        else:
            found.append(path)
    return tuple(found)


def require_file(path: Path) -> None:
    """Raise `ValueError` for what is neither a file nor a folder, such as a pipe."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(
            f"{path} is no file but a pipe or a device, and data is read several times; save it in "
            "a file first"
        )


def _names_in(text: str) -> Iterator[str]:
    """The names that are written with line feeds between: the first lines that are one together."""
    lines = text.split("\n")
    while lines:
        some = range(1, min(len(lines), LONGEST_NAME) + 1)
        count = next((n for n in some if _is_there("\n".join(lines[:n]))), 1)
        yield "\n".join(lines[:count])
        lines = lines[count:]


def _is_there(name: str) -> bool:
    try:
        return os.path.lexists(os.path.expanduser(name))
    except ValueError:  # a NUL character
        return False


def once(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Each file once, by its first name, and what is to be said of those that are named again."""
    first: dict[str, Path] = {}
    again: dict[Path, int] = {}
    for path in paths:
        known = first.setdefault(os.path.realpath(path), path)
        again[known] = again.get(known, 0) + 1
    times = {path: "twice" if n == 2 else f"{n:,} times" for path, n in again.items() if n > 1}
    said = [f"{shortened(str(path))} is named {n} and is read once" for path, n in times.items()]
    return [*first.values()], said


def _require_local(name: str) -> None:
    scheme = name.partition("://")[0] if "://" in name else ""
    if scheme and not Path(name).exists():
        raise ValueError(
            f"{name} is an address ({scheme}); download it first, and give the file "
            "(hf:owner/name reads from the Hugging Face hub)"
        )
    if len(name) > 2 and name[1:3] in (":\\", ":/") and not Path(name).exists():
        raise FileNotFoundError(
            f"{name} is a path of Windows, and this is another system; in WSL it is "
            f"/mnt/{name[0].lower()}/{name[3:].replace(chr(92), '/')}"
        )


def not_there(path: Path) -> str:
    """What is said of a path that does not exist: the nearest names where it is looked for."""
    if path.is_symlink():
        return f"{path} is a link to {os.readlink(path)}, which does not exist"
    if str(path) == "-":
        return "standard input is no data, which is read several times; save it in a file first"
    parts = str(path).split(",")
    if len(parts) > 1 and all(os.path.exists(os.path.expanduser(part)) for part in parts):
        return f"{path} does not exist; several files follow --data each, or are one pattern"
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    name = path.relative_to(folder).parts[0]
    there = sorted(p.name for p in folder.iterdir())
    near = get_close_matches(name, there, 3) or there[:5]
    return f"{path} does not exist; in {folder} there is {', '.join(near) or 'nothing'}"
