"""Saving in the background: training pauses for one copy, another thread waits for the disk."""

import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from regard.training.checkpoint import Saved, encode, write
from regard.training.tensor_file import aliases


class Saver:
    """Saves like `save_checkpoint`, while training continues.

    Costs the memory of one copy of what is saved, reused from save to save. One save runs at a
    time; the next waits for it.

    Args:
        folder: the folder of the run's checkpoints.
        keep: how many are kept, 2 or more.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Saver(Path(folder)) as saver:
    ...     saver.save(10, {"model": {"weight": torch.ones(3)}}, {"step": 10})
    ...     done = saver.wait()
    >>> done.path.name
    'step-000000010'
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep
        self.pause = 0.0
        self._buffers: dict[tuple[str, str], Tensor] = {}
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._saved: Saved | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.wait()
        elif self._thread is not None and isinstance(error, Exception):
            # What made the block fail is said; a save that fails as well is not worth hiding it.
            # A second signal does not wait: a save that is cut off is none.
            self._thread.join()

    def save(
        self,
        step: int,
        tensors: Mapping[str, Mapping[str, Tensor]],
        state: Mapping[str, object],
        protect: Collection[int] = (),
    ) -> None:
        """Copy everything, then write it in the background; `pause` is the time of the copy.

        Raises `CheckpointError` when the previous save failed; this one is then not started.
        """
        began = time.monotonic()
        self.wait()
        content = encode(state)
        copies = {group: self._copy(group, named) for group, named in tensors.items()}
        self._thread = threading.Thread(
            target=self._write, args=(step, copies, content, tuple(protect)), name="regard.saver"
        )
        self._thread.start()
        self.pause = time.monotonic() - began

    def wait(self) -> Saved | None:
        """Wait for the running save; returns the last one that completed.

        Raises `CheckpointError` once when it failed.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._saved

    def _write(
        self,
        step: int,
        tensors: Mapping[str, Mapping[str, Tensor]],
        state: bytes,
        protect: tuple[int, ...],
    ) -> None:
        try:
            self._saved = write(self.folder, step, tensors, state, self.keep, protect)
        except Exception as error:
            self._error = error

    def _copy(self, group: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copy tensors into buffers on the CPU; tied ones stay tied."""
        tied = aliases(named)
        copies: dict[str, Tensor] = {}
        for name, tensor in named.items():
            if name in tied:
                copies[name] = copies[tied[name]]
            else:
                copies[name] = self._buffer((group, name), tensor).copy_(tensor.detach())
        return copies

    def _buffer(self, key: tuple[str, str], like: Tensor) -> Tensor:
        buffer = self._buffers.get(key)
        if buffer is None or buffer.shape != like.shape or buffer.dtype != like.dtype:
            buffer = torch.empty(like.shape, dtype=like.dtype, pin_memory=like.is_cuda)
            self._buffers[key] = buffer
        return buffer
