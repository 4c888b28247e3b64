"""model.safetensors, checked against the model before a byte of it becomes a number.

The header is read here first and compared with what the model expects - names, shapes, dtypes, and
every byte accounted for - so that a wrong or hostile file costs neither memory nor trust.
"""

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn

from regard._files import read_json, write_whole
from regard.errors import CheckpointMismatch

MAX_HEADER_BYTES = 16 * 2**20
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def write_weights(
    module: nn.Module, path: Path, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write all weights of a module, whole or not at all; a shared one under its first name.

    `weights` are written in place of the module's own where those are only a part, as sharded
    ones are.
    """
    again = shared_names(module)
    named = module.state_dict() if weights is None else weights
    tensors = {n: t.contiguous() for n, t in named.items() if n not in again}
    write_whole(path, save(tensors, metadata={"format": "pt"}))


def read_weights(module: nn.Module, path: Path) -> None:
    """Fill a module, which may be on the `meta` device, with the weights in a file.

    Raises `CheckpointMismatch` with every missing, unexpected and wrong-shaped tensor, or
    `ValueError` when the file is damaged; the module is then unchanged.
    """
    content = path.read_bytes()
    again = shared_names(module)
    expected = {name: t for name, t in module.state_dict().items() if name not in again}
    try:
        found = read_header(content)
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from None
    _compare(found, expected, path)
    tensors = {name: t.to(expected[name].dtype) for name, t in load(content).items()}
    tensors |= {name: tensors[first] for name, first in again.items()}
    module.load_state_dict(tensors, assign=True)
    for name, first in again.items():
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, module.get_parameter(first))


def shared_names(module: nn.Module) -> dict[str, str]:
    """For each further name of a parameter that has several: its first one.

    >>> one, other = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    >>> other.weight = one.weight
    >>> shared_names(nn.ModuleList([one, other]))
    {'1.weight': '0.weight'}
    """
    first: dict[int, str] = {}
    again = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if first.setdefault(id(parameter), name) != name:
            again[name] = first[id(parameter)]
    return again


def read_header(content: bytes) -> dict[str, list[int]]:
    """Name and shape of every tensor in a safetensors file.

    Raises `ValueError` unless the tensors cover the rest of the file exactly, in some order and
    without gap or overlap, each with as many bytes as its shape and dtype take.
    """
    (length,) = struct.unpack("<Q", content[:8]) if len(content) >= 8 else (0,)
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise ValueError(f"it has {len(content)} bytes and claims a header of {length}")
    header = read_json(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is not a table")
    header.pop("__metadata__", None)
    shapes, spans = {}, []
    for name, entry in header.items():
        shapes[name], span = _entry(name, entry)
        spans.append(span)
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise ValueError(f"its tensors leave a gap or overlap at byte {start}")
        end = stop
    if end != len(content) - 8 - length:
        raise ValueError(f"its tensors take {end} bytes but {len(content) - 8 - length} are there")
    return shapes


def _entry(name: str, entry: Any) -> tuple[list[int], tuple[int, int]]:
    """Shape and byte span of one row of the header."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {name!r} is not dtype, shape and data_offsets")
    shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
    width = _BYTES.get(dtype) if isinstance(dtype, str) else None
    if width is None:
        raise ValueError(f"{name!r} is {dtype!r}; only {', '.join(_BYTES)} are read")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"the shape and offsets of {name!r} must be lists of sizes")
    if len(offsets) != 2 or offsets[1] - offsets[0] != width * math.prod(shape):
        raise ValueError(f"{name!r} of shape {shape} does not fill the bytes {offsets}")
    return shape, (offsets[0], offsets[1])


def _compare(found: Mapping[str, list[int]], expected: Mapping[str, Tensor], path: Path) -> None:
    wrong_shaped = {
        name: (shape, list(expected[name].shape))
        for name, shape in found.items()
        if name in expected and shape != list(expected[name].shape)
    }
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected or wrong_shaped:
        raise CheckpointMismatch(missing, unexpected, wrong_shaped, where=str(path))
