"""Safetensors files of any dtype, written piece by piece and read with suspicion.

A writer of our own knows the size before the first byte and never holds a second copy of the
tensors; a reader of our own checks the header and the digest of the very bytes it returns.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from regard._files import read_json

MAX_HEADER_BYTES = 16 * 2**20
_PIECE = 16 * 2**20
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def aliases(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Name → the name before it that is the very same memory, for tensors tied to each other.

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

    Raises `ValueError` when the header lies or the digest is another one; nothing is returned then.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        start = _take(file, 8, digest)
        (length,) = struct.unpack("<Q", start)
        if not 2 <= length <= min(MAX_HEADER_BYTES, total - 8):
            raise ValueError(f"{path} has {total} bytes and claims a header of {length}")
        rows = read_header(_take(file, length, digest), total - 8 - length)
        tensors = {}
        for name, dtype, shape in rows:
            tensors[name] = torch.empty(shape, dtype=dtype)
            _fill(file, _bytes(tensors[name]), digest)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path} is damaged: its bytes are not those that were written")
    return tensors


def read_header(text: bytes, body: int) -> list[tuple[str, torch.dtype, list[int]]]:
    """Name, dtype and shape of every tensor in the order of their bytes, of which there are `body`.

    Raises `ValueError` unless the tensors cover these bytes exactly, without gap or overlap.
    """
    header = read_json(text)
    if not isinstance(header, dict):
        raise ValueError("the header is not a table")
    header.pop("__metadata__", None)
    rows = sorted((_span(name, entry), name) for name, entry in header.items())
    end = 0
    for (start, stop), name in rows:
        if start != end:
            raise ValueError(f"{name!r} begins at byte {start}, the one before ends at {end}")
        end = stop
    if end != body:
        raise ValueError(f"the tensors take {end} bytes but {body} are there")
    return [(name, DTYPES[header[name]["dtype"]], header[name]["shape"]) for _, name in rows]


def _span(name: str, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} is not dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name!r} is {dtype!r}; only {', '.join(DTYPES)} are read")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"the shape and offsets of {name!r} must be lists of sizes")
    taken = math.prod(shape) * DTYPES[dtype].itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != taken or max([0, *shape]) > 2**40:
        raise ValueError(f"{name!r} of shape {shape} does not fill the bytes {offsets}")
    return offsets[0], offsets[1]


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
