"""What is kept of the calls, in how many bytes, and that nobody changes it meanwhile."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from regard.capturing.source import tensors_in, with_tensors
from regard.errors import UsageError

Guards = list[tuple[Tensor, int]]
"""Tensors that are kept as they are, and how often each had been changed in place by then."""


class Store:
    """Tensors that maps keep, each storage counted once.

    A tensor is kept as it is where nobody is seen to write into it, and copied where somebody did
    (a cache that is filled step by step) or where PyTorch does not count who does (inference mode).
    Parameters are never copied: they are there anyway.
    """

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._uses: Counter[int] = Counter()
        self._copies: dict[tuple[Any, ...], tuple[weakref.ref[Tensor], Tensor]] = {}

    @property
    def bytes(self) -> int:
        return sum(self._sizes.values())

    def cost(self, tensors: Iterable[Tensor]) -> int:
        """Bytes that keeping these would add."""
        added: dict[int, int] = {}
        for tensor in tensors:
            if is_parameter(tensor):
                continue
            if is_written_to(tensor):
                if self._copied(tensor) is None:
                    added[id(tensor)] = tensor.numel() * tensor.element_size()
            else:
                number, size = _storage(tensor)
                if number not in self._sizes:
                    added[number] = size
        return sum(added.values())

    def kept(self, source: Any) -> tuple[Any, Guards]:
        """The same source with tensors that can be kept, and what must not change."""
        guards: Guards = []

        def keep(tensor: Tensor) -> Tensor:
            found = self._kept(tensor)
            if not found.is_inference():
                guards.append((found, found._version))
            return found

        source = with_tensors(source, keep)
        self._count(source, 1)
        return source, guards

    def forget(self, source: Any) -> None:
        self._count(source, -1)

    def _count(self, source: Any, change: int) -> None:
        for tensor in tensors_in(source):
            if getattr(tensor, "_is_a_parameter", False):
                continue
            number, size = _storage(tensor)
            self._uses[number] += change
            if self._uses[number] > 0:
                self._sizes[number] = size
            else:
                self._sizes.pop(number, None)
                del self._uses[number]

    def _kept(self, tensor: Tensor) -> Tensor:
        if is_parameter(tensor):
            found = tensor.detach()
            found._is_a_parameter = True  # type: ignore[attr-defined]
            return found
        if not is_written_to(tensor):
            return tensor.detach()
        copy = self._copied(tensor)
        if copy is None:
            copy = tensor.detach().clone()
            self._copies[_identity(tensor)] = (weakref.ref(_owner(tensor)), copy)
        return copy

    def _copied(self, tensor: Tensor) -> Tensor | None:
        """The copy that another call has made of the same numbers."""
        owner, copy = self._copies.get(_identity(tensor), (None, None))
        return copy if owner is not None and owner() is _owner(tensor) else None

    def release(self) -> None:
        """Forget which copies are of what."""
        self._copies.clear()


def _owner(tensor: Tensor) -> Tensor:
    return tensor if tensor._base is None else tensor._base


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    version = -1 if tensor.is_inference() else tensor._version
    return (
        id(_owner(tensor)), version, tensor.storage_offset(), tensor.shape, tensor.stride(),
        torch.is_inference(tensor) and id(tensor),
    )  # fmt: skip


def _storage(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage._cdata, storage.nbytes()


def is_parameter(tensor: Tensor) -> bool:
    """Whether a tensor is a parameter or a view of one."""
    return isinstance(_owner(tensor), nn.Parameter)


def is_written_to(tensor: Tensor) -> bool:
    """Whether somebody wrote into a tensor since it was made, or may without being counted."""
    return tensor.is_inference() or tensor._version > 0


def unexpanded(tensor: Tensor) -> Tensor:
    """One entry along each axis on which all are the same memory."""
    for axis, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def require_unchanged(name: str, guards: Guards) -> None:
    """Raise `UsageError` where what was kept is no longer what it was."""
    for tensor, version in guards:
        if tensor._version != version:
            raise UsageError(
                f"a tensor {[*tensor.shape]} of {name} was changed in place after the call "
                f"(version {version} then, {tensor._version} now), so its weights can no longer be "
                "computed: read them before that (before the optimizer's step, for instance), or "
                "capture with rows=, which computes them at once."
            )


class Folder:
    """A folder for files of one capture, which goes with the last that needs it."""

    def __init__(self, within: str | Path) -> None:
        Path(within).mkdir(parents=True, exist_ok=True)
        self.path = tempfile.mkdtemp(prefix="regard-capture-", dir=within)
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class Spilled:
    """A source whose tensors lie in a file."""

    path: str
    source: Any
    folder: Folder

    def loaded(self) -> Any:
        """The source with its tensors read again."""
        tensors: Iterator[Tensor] = iter([each for _, each in sorted(load_file(self.path).items())])
        return with_tensors(self.source, lambda _: next(tensors))


def spilled(source: Any, path: str, folder: Folder) -> Spilled:
    """The source with its tensors written to a file and left out here."""
    tensors = {
        f"{number:03}": each.detach().contiguous().clone()
        for number, each in enumerate(tensors_in(source))
    }
    save_file(tensors, path)
    return Spilled(
        path, with_tensors(source, lambda each: torch.empty(0, dtype=each.dtype)), folder
    )
