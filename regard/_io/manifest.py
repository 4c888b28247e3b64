"""A list of files with their sizes and digests, by which a folder is known to be whole."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regard._io.files import open_file, read_json, read_json_file, write_whole
from regard._printable import shown

NAME = "manifest.json"
MOST_FILES = 1000
"""Files that a folder may have."""
SEAL = "sealed"


def write_manifest(folder: Path, names: Sequence[str]) -> None:
    """Vouch for these files of a folder; written last, it says that all of them were."""
    files = {name: size_and_digest(folder / name) for name in names}
    text = json.dumps({"format": 1, "files": files}, indent=2)
    write_whole(folder / NAME, text.encode())


def verify_manifest(folder: Path, names: Sequence[str]) -> None:
    """Check that a folder holds these files, unchanged since its manifest was written.

    Raises `FileNotFoundError` when the folder, its manifest or a file is missing and `ValueError`
    when a file has changed or stands elsewhere; each says what to do.
    """
    for name in names:
        if not _is_inside(folder, name):
            raise ValueError(
                f"{folder / NAME} names {shown(name)}, which is not in its folder; copy the whole "
                "run folder again"
            )
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; make one with: regard demo")
    strange = [n for n in (NAME, *names) if (folder / n).exists() and not (folder / n).is_file()]
    if strange:
        what = "a folder" if (folder / strange[0]).is_dir() else "no file"
        raise ValueError(
            f"{folder / strange[0]} is {what} and should be a file; copy the whole run folder again"
        )
    missing = [name for name in [NAME, *names] if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} is not a finished run: it has no {' and no '.join(missing)}; "
            "make one with: regard demo"
        )
    vouched = vouched_files(folder)
    if unnamed := [name for name in names if name not in vouched]:
        raise ValueError(
            f"{folder / NAME} is damaged: it does not name {', '.join(unnamed)}; copy the whole "
            "run folder again"
        )
    for name in names:
        fault = changed(folder / name, vouched[name])
        if fault is not None:
            raise ValueError(f"{fault}; copy the whole run folder again")


def verify_all(folder: Path) -> None:
    """Check every file that the manifest of a folder names, as `verify_manifest` does."""
    verify_manifest(folder, [])
    verify_manifest(folder, list(vouched_files(folder)))


def vouched_files(folder: Path) -> dict[str, Any]:
    """Every file that a manifest names, with its size and digest.

    Raises `ValueError` when it is damaged, or names what no folder of ours holds: a file elsewhere,
    or thousands of them.
    """
    entries = read_json_file(folder / NAME)
    files = entries.get("files") if isinstance(entries, dict) else None
    if not isinstance(files, dict) or len(files) > MOST_FILES:
        why = "it does not list files" if not isinstance(files, dict) else f"{len(files):,} files"
        raise ValueError(f"{folder / NAME} is damaged: {why}; copy the whole run folder again")
    for name, entry in files.items():
        whole = isinstance(entry, dict) and type(entry.get("bytes")) is int
        if not whole or not isinstance(entry.get("sha256"), str) or not _is_inside(folder, name):
            raise ValueError(
                f"{folder / NAME} is damaged: {shown(name)} is {shown(entry)}, not a file of the "
                "folder with its bytes and sha256; copy the whole run folder again"
            )
    return files


def _is_inside(folder: Path, name: str) -> bool:
    """Whether a name is that of a file in the folder itself."""
    if name in ("", ".", "..") or {*name} & {"/", "\\", "\0"}:
        return False
    path = folder / name
    return not path.is_symlink() or path.resolve().parent == folder.resolve()


def size_and_digest(path: Path) -> dict[str, int | str]:
    """The size and the digest of a file, which is read piece by piece; raises as `open_file`."""
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}


def changed(path: Path, vouched: Mapping[str, object]) -> str | None:
    """Say how a file differs from its size and digest in a manifest, None when it does not."""
    size = path.stat().st_size
    if size != vouched["bytes"]:
        return f"{path} is damaged: it has {size} bytes, {vouched['bytes']} were written"
    if size_and_digest(path)["sha256"] != vouched["sha256"]:
        return f"{path} is damaged: its {size} bytes are not those that were written"
    return None


def seal(entries: Mapping[str, object]) -> bytes:
    """Write a table as JSON that carries its own digest.

    >>> unseal(seal({"step": 10}))
    {'step': 10}
    """
    return json.dumps({**entries, SEAL: _digest(entries)}, indent=1).encode()


def unseal(content: bytes) -> dict[str, Any]:
    """Read what `seal` wrote.

    Raises `ValueError` when it is not a table, has no seal or has changed.
    """
    entries = read_json(content)
    if not isinstance(entries, dict) or SEAL not in entries:
        raise ValueError("it is not a table with a seal")
    if entries.pop(SEAL) != _digest(entries):
        raise ValueError("its entries are not those that were written")
    return entries


def _digest(entries: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
