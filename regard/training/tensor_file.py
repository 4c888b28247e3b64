"""Safetensors files of any dtype, written piece by piece and read without trust.

Our own writer knows the size before the first byte and never holds a second copy of the tensors;
our own reader checks the header and the digest of the very bytes it returns.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from regard._io.safetensors import DTYPES, header_length, read_header

_PIECE = 16 * 2**20
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def aliases(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Name → the earlier name that shares the same memory, for tied tensors.

    >>> weight = torch.ones(2, 3)
    >>> aliases({"embed": weight, "other": weight.T, "out": weight})
    {'out': 'embed'}

    Raises `TypeError` for a tensor that safetensors cannot hold as it is.
    """
    first: dict[object, str] = {}
    tied = {}
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES or tensor.layout != torch.strided:
            raise TypeError(f"{name!r} is {tensor.dtype}, {tensor.layout}: it cannot be saved")
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        # Empty tensors have no memory to share.
        before = first.setdefault(place, name) if tensor.numel() else name
        if before != name:
            tied[name] = before
    return tied


def layout(tensors: Mapping[str, Tensor]) -> tuple[bytes, list[str]]:
    """The header of a file with these tensors, and the names in the order of their bytes."""
    # The widest first, so that every tensor begins where its dtype may.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        tensor, start = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, order


def size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of the file with these tensors."""
    body = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return len(layout(tensors)[0]) + body


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, int | str]:
    """Write a new file down to the disk; returns its size and digest for the manifest."""
    header, order = layout(tensors)
    bodies = (_bytes(tensors[name].detach().cpu().contiguous()) for name in order)
    return write_new(path, chain([memoryview(header)], bodies))


def write_new(path: Path, contents: Iterable[memoryview]) -> dict[str, int | str]:
    """Write a new file down to the disk; returns its size and digest for the manifest."""
    digest, written = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for content in contents:
            written += _write(handle, content, digest)
        os.fsync(handle)
    finally:
        os.close(handle)
    return {"bytes": written, "sha256": digest.hexdigest()}


def read_tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    """Read every tensor of a file whose digest is known.

    Raises `ValueError` when the header is wrong or the digest differs; nothing is returned then.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        length = header_length(_take(file, 8, digest), total)
        rows = read_header(_take(file, length, digest), total - 8 - length)
        tensors = {}
        for name, dtype, shape in rows:
            tensors[name] = torch.empty(shape, dtype=dtype)
            _fill(file, _bytes(tensors[name]), digest)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path} is damaged: its bytes are not those that were written")
    return tensors


def read_shapes(path: Path) -> dict[str, list[int]]:
    """The names and shapes of the tensors in a file; raises `ValueError` for a wrong header."""
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        length = header_length(file.read(8), total)
        rows = read_header(file.read(length), total - 8 - length)
    return {name: shape for name, _, shape in rows}


def _bytes(tensor: Tensor) -> memoryview:
    if not tensor.numel():
        return memoryview(b"")
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _write(handle: int, content: memoryview, digest: Any) -> int:
    for start in range(0, len(content), _PIECE):
        piece = content[start : start + _PIECE]
        digest.update(piece)
        while piece:
            piece = piece[os.write(handle, piece) :]
    return len(content)


def _take(file: BinaryIO, count: int, digest: Any) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise ValueError(f"the file ends {count - len(content)} bytes too early")
    digest.update(content)
    return content


def _fill(file: Any, place: memoryview, digest: Any) -> None:
    for start in range(0, len(place), _PIECE):
        piece = place[start : start + _PIECE]
        if file.readinto(piece) != len(piece):
            raise ValueError("the file ends too early")
        digest.update(piece)
