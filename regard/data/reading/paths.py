"""The files that a user's words for data name: `~`, patterns, and several with commas between."""

import os
from difflib import get_close_matches
from glob import glob
from pathlib import Path

MOST = 10_000
"""Files that a pattern may name."""


def files_of(text: str) -> tuple[Path, ...]:
    """The paths that a text names: one, those of a pattern such as `data/*.csv`, or several.

    Several are written with a line feed between (as the command line joins repeated options).

    Raises `FileNotFoundError` for a pattern that nothing matches, `ValueError` for what is an
    address of the network or of another system.

    >>> files_of("films.csv")
    (PosixPath('films.csv'),)
    """
    found: list[Path] = []
    for name in text.split("\n"):
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
    return tuple(dict.fromkeys(found))


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
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    name = path.relative_to(folder).parts[0]
    there = sorted(p.name for p in folder.iterdir())
    near = get_close_matches(name, there, 3) or there[:5]
    return f"{path} does not exist; in {folder} there is {', '.join(near) or 'nothing'}"
