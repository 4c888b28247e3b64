"""Checkpoints of a run: each is whole or is not there, and no older one goes before it is verified.

    checkpoints/step-000001000/    model.safetensors  optimizer.safetensors  state.json
                                   manifest.json      sizes and digests of the others, sealed

A folder is written under a temporary name, flushed to the disk, renamed, read again; only then are
older ones removed. What counts is the step in the manifest, never a clock.
"""

import errno
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._files import MAX_JSON_BYTES, read_json, sync_folder
from regard._manifest import NAME, changed, seal, unseal
from regard.errors import RegardError
from regard.train.tensor_file import aliases, read_tensors, size, write_new, write_tensors

FORMAT = 1
STATE = "state.json"
TENSORS = ".safetensors"
_FOLDER = re.compile(r"step-(\d{9,})")
_TEMPORARY = re.compile(r"\.tmp-.*-(\d+)")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.(safetensors|json)")


class CheckpointError(RegardError, OSError):
    """A checkpoint that could not be written or read; the message says why and what is left."""


class _OtherVersion(ValueError):
    """A checkpoint of another version of regard: not damaged, and not to be touched."""


@dataclass(frozen=True)
class Saved:
    """What a save cost; `bytes` is 0 when the very step was there already."""

    path: Path
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint; `skipped` has a sentence for each newer one that is damaged."""

    path: Path
    step: int
    state: dict[str, Any]
    groups: tuple[str, ...]
    skipped: list[str] = field(default_factory=list)

    def read(self, group: str) -> dict[str, Tensor]:
        """Read the tensors of a group, tied ones as one; all of them or none.

        Raises `KeyError` for a group that was not saved, `CheckpointError` when the file changed.
        """
        if group not in self.groups:
            raise KeyError(f"{self.path} has no {group!r}; it has {', '.join(self.groups)}")
        name = f"{group}{TENSORS}"
        try:
            manifest = _manifest(self.path)
            tensors = read_tensors(self.path / name, manifest["files"][name]["sha256"])
            tied = manifest["aliases"].get(group, {})
            return tensors | {alias: tensors[first] for alias, first in tied.items()}
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{self.path} cannot be read: {error}") from None


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, object],
    keep: int = 2,
    protect: Collection[int] = (),
) -> Saved:
    """Save a step, then remove all but the `keep` newest checkpoints that verify.

    A verified checkpoint of the same step stays as it is.

    Args:
        folder: where the checkpoints of the run are; made if it is missing.
        step: number of updates so far.
        tensors: group (`model`, `optimizer`) → name → tensor. Tied tensors are stored once.
        state: everything else, as JSON holds it.
        keep: 2 or more.
        protect: steps that are never removed.

    Raises `CheckpointError` when it cannot be written: nothing is removed then, and no part stays.
    """
    return write(folder, step, tensors, encode(state), keep, protect)


def encode(state: Mapping[str, object]) -> bytes:
    """Write a state as JSON that reads back equal.

    Raises `ValueError` for NaN, for keys that are no text and for more than may be read back,
    `TypeError` for what JSON has no word for.
    """
    content = json.dumps(state, ensure_ascii=False, allow_nan=False).encode()
    if len(content) > MAX_JSON_BYTES:
        raise ValueError(f"the state has {len(content)} bytes, more than {MAX_JSON_BYTES}")
    if not _has_text_keys(state):
        raise ValueError("a key of the state is not text; JSON would change it")
    return content


def write(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: bytes,
    keep: int,
    protect: Collection[int],
) -> Saved:
    """Save with a state that is encoded already; see `save`."""
    if keep < 2 or step < 0:
        raise ValueError(f"keep must be 2 or more and step 0 or more, got {keep} and {step}")
    began = time.monotonic()
    final = folder / f"step-{step:09d}"
    temporary = folder / f".tmp-{step}-{os.getpid()}"
    needed = len(state) + 4096 + sum(size(_distinct(group)) for group in tensors.values())
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, own=True)
        if not _is_there(final):
            _require_room(folder, needed)
            written = _write(temporary, step, tensors, state)
            os.rename(temporary, final)
            sync_folder(folder)
            _verified(final)
    except (OSError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        why = (isinstance(error, OSError) and error.strerror) or error
        raise CheckpointError(
            f"step {step} could not be saved in {folder}: {why}; it needs "
            f"{needed:,} bytes and {_free(folder):,} are free; what was saved before is kept"
        ) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _rotate(folder, final, keep, protect)
    return Saved(final, written, time.monotonic() - began)


def newest(folder: Path, mend: bool = True) -> Checkpoint | None:
    """Find the newest checkpoint that verifies, None when there is none.

    Damaged ones that are newer are renamed to `.corrupt`, and what killed processes left half
    written is removed; with `mend=False` (for a run that another process may be writing) nothing
    is touched.
    """
    if mend:
        _sweep(folder)
    skipped = []
    for path in _candidates(folder):
        try:
            manifest = _verified(path)
            state = read_json((path / STATE).read_bytes())
        except (_OtherVersion, OSError) as error:
            skipped.append(str(error))
        except ValueError as error:
            skipped.append(f"{error}; it is now {_set_aside(path).name}" if mend else str(error))
        else:
            files = [name for name in manifest["files"] if name.endswith(TENSORS)]
            groups = tuple(name.removesuffix(TENSORS) for name in files)
            return Checkpoint(path, manifest["step"], state, groups, skipped)
    return None


def _write(
    temporary: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: bytes
) -> int:
    """Fill a new folder, the manifest last, and see all of it on the disk; returns its bytes."""
    temporary.mkdir()
    files = {STATE: write_new(temporary / STATE, [memoryview(state)])}
    for group, named in tensors.items():
        name = f"{group}{TENSORS}"
        files[name] = write_tensors(temporary / name, _distinct(named))
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


def _is_there(final: Path) -> bool:
    """Whether a step is saved and verifies; a damaged one makes room for a new one."""
    if os.path.lexists(final):
        try:
            _verified(final)
        except ValueError:
            _set_aside(final)
    return os.path.lexists(final)


def _manifest(path: Path) -> dict[str, Any]:
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
        raise _OtherVersion(
            f"{path} has format {found!r}, this regard reads {FORMAT}; it was written by another "
            "version: use that one"
        )
    files, named = entries.get("files"), entries.get("aliases")
    if type(entries.get("step")) is not int or not isinstance(files, dict) or STATE not in files:
        raise ValueError(f"{path / NAME} names no step or no files")
    bad = [name for name in files if not _FILE.fullmatch(name)]
    if bad or not isinstance(named, dict):
        raise ValueError(f"{path / NAME} names files that no checkpoint has: {ascii(bad)}")
    return entries


def _verified(path: Path) -> dict[str, Any]:
    """Read every byte of a checkpoint and return its manifest, if these are the right ones."""
    manifest = _manifest(path)
    for name, entry in manifest["files"].items():
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise ValueError(f"{path} is damaged: it has no file {name}")
        fault = changed(file, entry)
        if fault is not None:
            raise ValueError(fault)
    return manifest


def _candidates(folder: Path) -> list[Path]:
    """Folders that may be checkpoints, the newest by the step in the manifest first."""

    def step(path: Path) -> int:
        try:
            return _manifest(path)["step"]
        except (OSError, ValueError):
            return int(path.name.removeprefix("step-"))

    names = os.listdir(folder) if folder.is_dir() else []
    paths = [folder / name for name in names if _FOLDER.fullmatch(name)]
    real = [path for path in paths if path.is_dir() and not path.is_symlink()]
    return sorted(real, key=lambda path: (step(path), path.name), reverse=True)


def _rotate(folder: Path, saved: Path, keep: int, protect: Collection[int]) -> None:
    """Keep what was just saved, the newest others that verify, and what is protected."""
    names = {saved.name, *(f"step-{step:09d}" for step in protect)}
    others = [path for path in _candidates(folder) if path.name not in names]
    kept = 1
    for path in others if len(others) >= keep else []:
        try:
            if kept < keep:
                _verified(path)
                kept += 1
            else:
                # Renamed first: a half-removed checkpoint must not look like a damaged one.
                doomed = folder / f".tmp-old-{path.name}-{os.getpid()}"
                os.rename(path, doomed)
                shutil.rmtree(doomed, ignore_errors=True)
        except (_OtherVersion, OSError):
            continue
        except ValueError:
            _set_aside(path)


def _sweep(folder: Path, own: bool = False) -> None:
    """Remove what processes that no longer live were writing, and what this one was if `own`."""
    for name in os.listdir(folder) if folder.is_dir() else []:
        match = _TEMPORARY.fullmatch(name)
        if match and (own if int(match[1]) == os.getpid() else not _lives(int(match[1]))):
            shutil.rmtree(folder / name, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint so that it is not looked at again; it stays where it cannot."""
    for number in count(1):
        aside = path.with_name(f"{path.name}.corrupt" + (f"-{number}" if number > 1 else ""))
        if not os.path.lexists(aside):
            break
    try:
        return path.rename(aside)
    except OSError:
        return path


def _require_room(folder: Path, needed: int) -> None:
    if needed > _free(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _free(folder: Path) -> int:
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def _distinct(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tied = aliases(named)
    return {name: tensor for name, tensor in named.items() if name not in tied}


def _has_text_keys(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _has_text_keys(one) for key, one in value.items())
    return not isinstance(value, list | tuple) or all(_has_text_keys(one) for one in value)
