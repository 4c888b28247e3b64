"""A folder of files that are read again later: sealed when it is whole, verified when opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard._io.files import read_file, write_whole
from regard._io.manifest import changed, seal, size_and_digest, unseal

FILES = "files"


def vouch(folder: Path, name: str, entries: Mapping[str, Any]) -> None:
    """Write `name`, the last file of a folder, with the size and digest of every other one.

    They are read once for that, at the speed of SHA-256.
    """
    files = {path: size_and_digest(folder / path) for path in _files(folder, name)}
    write_whole(folder / name, seal({**entries, FILES: files}))


def vouched(folder: Path, name: str) -> dict[str, Any]:
    """The entries of `name`, once every file of the folder is known to be as it was written.

    Raises `ValueError` when one is not, or when there is no such folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "a").write_text("1")
    ...     vouch(Path(place), "about.json", {"size": 1})
    ...     vouched(Path(place), "about.json")
    {'size': 1}
    """
    try:
        entries = unseal(read_file(folder / name))
    except OSError as error:
        raise ValueError(f"{folder / name} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{folder / name} is damaged: {error}") from None
    files = entries.pop(FILES, None)
    if not isinstance(files, dict) or sorted(files) != _files(folder, name):
        raise ValueError(f"{folder} has not the files that {name} names")
    for path, entry in files.items():
        if fault := changed(folder / path, entry):
            raise ValueError(fault)
    return entries


def _files(folder: Path, name: str) -> list[str]:
    """All files below a folder but this one, and but those that a dot marks as unfinished."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in paths
        if path.as_posix() != name and not any(part.startswith(".") for part in path.parts)
    )
