"""Checkpoints of a run, written atomically; older ones go only after the new one is verified.

    checkpoints/step-000001000/    model.safetensors  optimizer.safetensors  state.json
                                   manifest.json      sizes and digests of the others, sealed

A folder is written under a temporary name, flushed to disk, renamed, and read back; only then are
older ones removed. Order is by the step in the manifest, never by a clock.
"""

import errno
import json
import math
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from regard._io.files import MAX_JSON_BYTES, read_json_file, sync_folder
from regard.errors import RegardError
from regard.training.checkpoint_folder import (
    FILE,
    STATE,
    TENSORS,
    OtherVersion,
    check,
    distinct,
    fill,
    manifest_of,
    possible_checkpoints,
    rotate,
    set_aside,
    sweep,
)
from regard.training.tensor_file import read_shapes, read_tensors, size


class CheckpointError(RegardError, OSError):
    """A checkpoint that could not be written or read; the message says why and what remains."""


@dataclass(frozen=True)
class Saved:
    """The cost of a save; `bytes` is 0 if the step was already saved."""

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
        """Read the tensors of a group, keeping ties; all of them or none.

        Raises `KeyError` for a group that was not saved, `CheckpointError` when the file changed.
        """
        if group not in self.groups:
            raise KeyError(f"{self.path} has no {group!r}; it has {', '.join(self.groups)}")
        name = f"{group}{TENSORS}"
        try:
            manifest = manifest_of(self.path)
            tensors = read_tensors(self.path / name, manifest["files"][name]["sha256"])
            tied = manifest["aliases"].get(group, {})
            return tensors | {alias: tensors[first] for alias, first in tied.items()}
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{self.path} cannot be read: {error}") from None

    def shapes(self, group: str) -> dict[str, list[int]]:
        """The names and shapes of what `read` returns, from the file's header alone."""
        if group not in self.groups:
            raise KeyError(f"it has no {group}")
        shapes = read_shapes(self.path / f"{group}{TENSORS}")
        tied = manifest_of(self.path)["aliases"].get(group, {})
        if lost := sorted(set(map(str, tied.values())) - shapes.keys()):
            raise ValueError(f"tensors are tied to {lost[0]}, which it has not")
        return shapes | {alias: shapes[first] for alias, first in tied.items()}


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, object],
    keep: int = 2,
    protect: Collection[int] = (),
) -> Saved:
    """Save a step, then remove all but the `keep` newest checkpoints that verify.

    A verified checkpoint of the same step is left alone.

    Args:
        folder: the folder of the run's checkpoints; created if missing.
        step: number of updates so far.
        tensors: group (`model`, `optimizer`) → name → tensor. Tied tensors are stored once.
        state: everything else, as JSON holds it.
        keep: 2 or more.
        protect: steps that are never removed.

    Raises `CheckpointError` when it cannot be written: then nothing is removed, and no partial
    checkpoint remains.
    """
    return write(folder, step, tensors, encode(state), keep, protect)


def encode(state: Mapping[str, object]) -> bytes:
    """Write a state as JSON that reads back equal.

    Raises `ValueError` for NaN, for keys that are not strings and for more than may be read back,
    `TypeError` for values that JSON cannot represent.
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
    """Save with an already encoded state; see `save_checkpoint`."""
    if keep < 2 or step < 0:
        raise ValueError(f"keep must be 2 or more and step 0 or more, got {keep} and {step}")
    for group in tensors:
        if not FILE.fullmatch(f"{group}{TENSORS}"):
            raise ValueError(f"a group is named with letters, digits, '.', '_', '-'; got {group!r}")
    began = time.monotonic()
    final = folder / f"step-{step:09d}"
    temporary = folder / f".tmp-{step}-{os.getpid()}"
    needed = len(state) + 4096 + sum(size(distinct(group)) for group in tensors.values())
    written = 0
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        sweep(folder, own=True)
        if not _is_there(final):
            _require_room(folder, needed)
            written = fill(temporary, step, tensors, state)
            os.rename(temporary, final)
            sync_folder(folder)
            check(final)
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
    rotate(folder, final, keep, protect)
    return Saved(final, written, time.monotonic() - began)


def newest(folder: Path, mend: bool = True, below: float = math.inf) -> Checkpoint | None:
    """Find the newest checkpoint that verifies, of a step `below` one; None when there is none.

    Newer damaged ones are renamed to `.corrupt`, and partial ones left by killed processes are
    removed; with `mend=False` (for a run that another process may be writing) nothing is touched.
    """
    if mend:
        sweep(folder)
    return next((each for each in _descending(folder, mend) if each.step < below), None)


def verified(folder: Path) -> list[Checkpoint]:
    """List the checkpoints that verify, oldest first; nothing is touched."""
    return list(_descending(folder, mend=False))[::-1]


def _descending(folder: Path, mend: bool) -> Iterator[Checkpoint]:
    skipped = []
    for path in possible_checkpoints(folder):
        try:
            manifest = check(path)
            state = _state_of(path)
        except (OtherVersion, OSError) as error:
            skipped.append(str(error))
        except ValueError as error:
            skipped.append(f"{error}; it is now {set_aside(path).name}" if mend else str(error))
        else:
            files = [name for name in manifest["files"] if name.endswith(TENSORS)]
            groups = tuple(name.removesuffix(TENSORS) for name in files)
            yield Checkpoint(path, manifest["step"], state, groups, list(skipped))


def _state_of(path: Path) -> dict[str, Any]:
    try:
        state = read_json_file(path / STATE)
    except ValueError as error:
        raise ValueError(f"{path / STATE} is damaged: {error}") from None
    if not isinstance(state, dict):
        raise ValueError(f"{path / STATE} is damaged: it is not a table")
    return state


def _is_there(final: Path) -> bool:
    """Whether a step is saved and verifies; a damaged one makes room for a new one."""
    if os.path.lexists(final):
        try:
            check(final)
        except ValueError:
            set_aside(final)
    return os.path.lexists(final)


def _require_room(folder: Path, needed: int) -> None:
    if needed > _free(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _free(folder: Path) -> int:
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def _has_text_keys(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _has_text_keys(one) for key, one in value.items())
    return not isinstance(value, list | tuple) or all(_has_text_keys(one) for one in value)
