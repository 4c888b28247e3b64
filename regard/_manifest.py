"""A list of files with their sizes and digests, by which a folder is known to be whole."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from regard._files import read_json, write_whole

NAME = "manifest.json"


def write_manifest(folder: Path, names: Sequence[str]) -> None:
    """Vouch for these files of a folder; written last, it says that all of them were."""
    files = {name: _describe((folder / name).read_bytes()) for name in names}
    text = json.dumps({"format": 1, "files": files}, indent=2)
    write_whole(folder / NAME, text.encode())


def verify_manifest(folder: Path, names: Sequence[str]) -> None:
    """Check that a folder holds these files, unchanged since its manifest was written.

    Raises `FileNotFoundError` when the folder, its manifest or a file is missing and `ValueError`
    when a file has changed; each says what to do.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; make one with: regard demo")
    missing = [name for name in [NAME, *names] if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} is not a finished run: it has no {' and no '.join(missing)}; "
            "make one with: regard demo"
        )
    try:
        vouched = read_json((folder / NAME).read_bytes())["files"]
        wanted = {name: (vouched[name]["bytes"], vouched[name]["sha256"]) for name in names}
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"{folder / NAME} is damaged; copy the whole run folder again") from None
    for name, (size, digest) in wanted.items():
        found = _describe((folder / name).read_bytes())
        if found != {"bytes": size, "sha256": digest}:
            raise ValueError(
                f"{folder / name} is damaged: it has {found['bytes']} bytes of the {size} that "
                "were written, or other ones; copy the whole run folder again"
            )


def _describe(content: bytes) -> dict[str, int | str]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
