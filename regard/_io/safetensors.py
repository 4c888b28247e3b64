"""The header of a safetensors file, read with suspicion: every byte of the body accounted for."""

import math
import struct
from typing import Any

import torch

from regard._io.files import read_json
from regard._printable import shown

MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 64
"""Of a tensor, as PyTorch has it."""
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
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


def header_length(start: bytes, total: int) -> int:
    """The length of the header, from the first eight bytes of a file of `total` bytes.

    Raises `ValueError` when no header of that length can be there.
    """
    (length,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
    if not 2 <= length <= min(MAX_HEADER_BYTES, total - 8):
        raise ValueError(f"it has {total} bytes and claims a header of {length}")
    return length


def read_header(text: bytes, body: int) -> list[tuple[str, torch.dtype, list[int]]]:
    """Name, dtype and shape of every tensor in the order of their bytes, of which there are `body`.

    Raises `ValueError` unless the tensors cover these bytes exactly, without gap or overlap, each
    with as many as its shape and dtype take.
    """
    header = read_json(text)
    if not isinstance(header, dict):
        raise ValueError("the header is not a table")
    header.pop("__metadata__", None)
    rows = sorted((_span(name, entry), name) for name, entry in header.items())
    end = 0
    for (start, stop), name in rows:
        if start != end:
            raise ValueError(f"{shown(name)} begins at byte {start}, the one before ends at {end}")
        end = stop
    if end != body:
        raise ValueError(f"the tensors take {end} bytes but {body} are there")
    return [(name, DTYPES[header[name]["dtype"]], header[name]["shape"]) for _, name in rows]


def _span(name: str, entry: Any) -> tuple[int, int]:
    named = shown(name)
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {named} is not dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{named} is {shown(dtype)}; only {', '.join(DTYPES)} are read")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(
            type(n) is int and 0 <= n <= 2**60 for n in numbers
        ):
            raise ValueError(f"the shape and offsets of {named} must be lists of sizes")
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{named} has {len(shape):,} dimensions, more than {MAX_DIMENSIONS}")
    taken = math.prod(shape) * DTYPES[dtype].itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != taken or max([0, *shape]) > 2**40:
        raise ValueError(
            f"{named} of shape {shown(shape)} does not fill the bytes {shown(offsets)}"
        )
    return offsets[0], offsets[1]
