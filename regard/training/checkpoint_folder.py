"""What a checkpoint looks like on the disk: how it is filled, checked, listed and removed."""

import os
import platform
import re
import shutil
from collections.abc import Collection, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._io.files import sync_folder
from regard._io.leftovers import lives
from regard._io.manifest import NAME, changed, seal, unseal
from regard.training.tensor_file import aliases, write_new, write_tensors

FORMAT = 1
STATE = "state.json"
TENSORS = ".safetensors"
_FOLDER = re.compile(r"step-[0-9]{9,}")
_TEMPORARY = re.compile(r"\.tmp-.*-([0-9]+)")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.(safetensors|json)")


class OtherVersion(ValueError):
    """A checkpoint of another version of regard: not damaged, and not to be touched."""


def fill(
    temporary: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: bytes
) -> int:
    """Fill a new folder, the manifest last, and see all of it on the disk; returns its bytes."""
    temporary.mkdir()
    files = {STATE: write_new(temporary / STATE, [memoryview(state)])}
    for group, named in tensors.items():
        name = f"{group}{TENSORS}"
        files[name] = write_tensors(temporary / name, distinct(named))
    manifest = seal(
        {
            "format": FORMAT,
            "step": step,
            "files": files,
            "aliases": {group: aliases(named) for group, named in tensors.items()},
            "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        }
    )
    write_new(temporary / NAME, [memoryview(manifest)])
    sync_folder(temporary)
    return len(manifest) + sum(int(entry["bytes"]) for entry in files.values())


def manifest_of(path: Path) -> dict[str, Any]:
    """Read the manifest of a checkpoint and check its form.

    Raises `ValueError` with a sentence when it is missing, damaged or of another version.
    """
    if not (path / NAME).is_file():
        raise ValueError(f"{path} is no checkpoint: it has no {NAME}")
    try:
        entries = unseal((path / NAME).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path / NAME} is damaged: {error}") from None
    found = entries.get("format")
    if found != FORMAT:
        raise OtherVersion(
            f"{path} has format {found!r}, this regard reads {FORMAT}; it was written by another "
            "version: use that one"
        )
    files, named = entries.get("files"), entries.get("aliases")
    if type(entries.get("step")) is not int or not isinstance(files, dict) or STATE not in files:
        raise ValueError(f"{path / NAME} names no step or no files")
    bad = [name for name, entry in files.items() if not FILE.fullmatch(name) or not _vouches(entry)]
    if bad or not isinstance(named, dict) or not all(isinstance(t, dict) for t in named.values()):
        raise ValueError(f"{path / NAME} names files that no checkpoint has: {ascii(bad)}")
    return entries


def check(path: Path) -> dict[str, Any]:
    """Read every byte of a checkpoint and return its manifest, if these are the right ones."""
    manifest = manifest_of(path)
    for name, entry in manifest["files"].items():
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise ValueError(f"{path} is damaged: it has no file {name}")
        fault = changed(file, entry)
        if fault is not None:
            raise ValueError(fault)
    return manifest


def possible_checkpoints(folder: Path) -> list[Path]:
    """Folders that may be checkpoints, the newest by the step in the manifest first."""

    def step(path: Path) -> int:
        try:
            return manifest_of(path)["step"]
        except (OSError, ValueError):
            return int(path.name.removeprefix("step-"))

    names = os.listdir(folder) if folder.is_dir() else []
    paths = [folder / name for name in names if _FOLDER.fullmatch(name)]
    real = [path for path in paths if path.is_dir() and not path.is_symlink()]
    return sorted(real, key=lambda path: (step(path), path.name), reverse=True)


def rotate(folder: Path, saved: Path, keep: int, protect: Collection[int]) -> None:
    """Keep what was just saved, the newest others that verify, and what is protected."""
    names = {saved.name, *(f"step-{step:09d}" for step in protect)}
    others = [path for path in possible_checkpoints(folder) if path.name not in names]
    kept = 1
    for path in others if len(others) >= keep else []:
        try:
            if kept < keep:
                check(path)
                kept += 1
            else:
                # Renamed first: a half-removed checkpoint must not look like a damaged one.
                doomed = folder / f".tmp-old-{path.name}-{os.getpid()}"
                os.rename(path, doomed)
                shutil.rmtree(doomed, ignore_errors=True)
        except (OtherVersion, OSError):
            continue
        except ValueError:
            set_aside(path)


def sweep(folder: Path, own: bool = False) -> None:
    """Remove what processes that no longer live were writing, and what this one was if `own`."""
    for name in os.listdir(folder) if folder.is_dir() else []:
        match = _TEMPORARY.fullmatch(name)
        if match and (own if int(match[1]) == os.getpid() else not lives(int(match[1]))):
            shutil.rmtree(folder / name, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint so that it is not looked at again; it stays where it cannot."""
    for number in count(1):
        aside = path.with_name(f"{path.name}.corrupt" + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(aside):
            break
    try:
        return path.rename(aside)
    except OSError:
        return path


def distinct(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without those that are tied to one before them."""
    tied = aliases(named)
    return {name: tensor for name, tensor in named.items() if name not in tied}


def _vouches(entry: object) -> bool:
    return isinstance(entry, dict) and entry.keys() == {"bytes", "sha256"}
