"""model.safetensors, checked against the model before any tensor is read.

The header is read here first and compared with what the model expects - names, shapes, dtypes, and
every byte accounted for - so that a wrong or hostile file costs neither memory nor trust.
"""

import json
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from regard._io.files import POINTER, POINTS, open_file, read_file, read_json, write_whole
from regard._io.safetensors import header_length
from regard._io.safetensors import read_header as header
from regard._printable import shown
from regard.errors import CheckpointMismatch

Value = TypeVar("Value")

SHARED = "shared"
"""Metadata key of tied weights: further names, each with the first one."""


def write_weights(
    module: nn.Module, path: Path, weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write all weights of a module, atomically; a tied one under its first name.

    The file records what is tied, so that parts which a module shared are still shared in a module
    that would otherwise create its own.

    `weights` are written instead of the module's own if those are only a part, such as sharded
    ones.
    """
    again = shared_names(module)
    named = module.state_dict() if weights is None else weights
    tensors = {n: t.contiguous() for n, t in named.items() if n not in again}
    shared = {SHARED: json.dumps(again)} if again else {}
    content = save(tensors, metadata={"format": "pt", **shared})
    write_whole(path, _in_order(content) if shared else content)


def read_weights(
    module: nn.Module,
    path: Path,
    renamed: Mapping[str, str] = {},
    beside: Mapping[str, Tensor] = {},
) -> None:
    """Fill a module, which may be on the `meta` device, with the weights in a file.

    Args:
        renamed: prefixes of names in the file → those of the module.
        beside: tensors of the module that are stored elsewhere, not in the file.

    Raises `CheckpointMismatch` with every missing, unexpected and wrong-shaped tensor, or
    `ValueError` when the file is damaged; the module is then unchanged.
    """
    state = module.state_dict()
    with _naming(path):
        head, total = read_head(path)
        again = shared_names(module) | _shared_in(head, module)
        expected = {name: t for name, t in state.items() if name not in again}
        whole = [name for name, t in expected.items() if not t.is_floating_point()]
        found = renamed_weights(weight_shapes(head, whole, total), renamed)
    found |= {name: list(tensor.shape) for name, tensor in beside.items()}
    _compare(found, expected, path)
    with _naming(path):
        content = read_file(path, total)
        if len(content) != total or not content.startswith(head):
            raise ValueError("it changed while it was read")
    read = renamed_weights(load(content), renamed) | dict(beside)
    tensors = {name: tensor.to(expected[name].dtype) for name, tensor in read.items()}
    tensors |= {name: tensors[first] for name, first in again.items()}
    module.load_state_dict(tensors, assign=True)
    for name, first in again.items():
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, module.get_parameter(first))


def count_weights(path: Path) -> int:
    """The number of tensors according to a file; raises `ValueError` when it is damaged."""
    with _naming(path):
        head, total = read_head(path)
        return len(header(head[8:], total - len(head)))


def read_head(path: Path) -> tuple[bytes, int]:
    """The header of a file, and its size in bytes.

    Raises `ValueError` when there can be no header; the tensors are not read.
    """
    with open_file(path) as file:
        total = os.fstat(file.fileno()).st_size
        start = file.read(8)
        if start == POINTER[:8]:
            raise ValueError(f"it is {POINTS}")
        return start + file.read(header_length(start, total)), total


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Limit the number of weights created here, including those that others replace.

    Raises `ValueError` at the first one too many.
    """
    made, here = 0, get_ident()

    def counted(module: nn.Module, name: str, weight: nn.Parameter) -> None:
        nonlocal made
        made += get_ident() == here
        if made > count:
            raise ValueError(
                "its network has more weights than are in the files; copy the whole folder again"
            )

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


class Undrawn(TorchFunctionMode):
    """Skips initialization here, because the weights are replaced anyway.

    On `meta`, initialization would change nothing, and cost the import of PyTorch's compiler:
    seconds.

    >>> import torch
    >>> with torch.device("meta"), Undrawn():
    ...     nn.Embedding(3, 2).weight.is_meta
    True
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


_DRAWS = (
    *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),
    *(Tensor.normal_, Tensor.uniform_),
)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file it is that a `ValueError` speaks of."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from None


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata in the order of their names.

    The package writes them in another one each time, and equal weights should be equal files.
    """
    body = 8 + header_length(content[:8], len(content))
    table = json.loads(content[8:body])
    table["__metadata__"] = dict(sorted(table["__metadata__"].items()))
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # The tensors begin at a multiple of 8 bytes.
    return len(text).to_bytes(8, "little") + text + content[body:]


def shared_names(module: nn.Module) -> dict[str, str]:
    """For each further name of a tied parameter: its first one.

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


def _shared_in(content: bytes, module: nn.Module) -> dict[str, str]:
    """What a file says that is shared, as far as this module has it and it can be."""
    (length,) = struct.unpack("<Q", content[:8])
    table = read_json(content[8 : 8 + length])
    about = table.get("__metadata__") if isinstance(table, dict) else None
    said = about.get(SHARED, "{}") if isinstance(about, dict) else "{}"
    shared = read_json(said) if isinstance(said, str) else None
    if not isinstance(shared, dict) or not all(isinstance(each, str) for each in shared.values()):
        raise ValueError(f"what it says of {SHARED} weights is not a table of names")
    known = dict(module.named_parameters(remove_duplicate=False))
    return {
        name: first
        for name, first in shared.items()
        if {name, first} <= known.keys() and known[name].shape == known[first].shape
        if first not in shared
    }


def weight_shapes(
    content: bytes, integers: Collection[str] = (), total: int | None = None
) -> dict[str, list[int]]:
    """Name and shape of every tensor in a safetensors file.

    Args:
        content: the file, or its header.
        integers: the integer and boolean tensors; all others are weights.
        total: bytes of the file; those of `content` if None.

    Raises `ValueError` unless the tensors cover the rest of the file exactly, in some order and
    without gap or overlap, each with as many bytes as its shape and dtype take.
    """
    total = len(content) if total is None else total
    length = header_length(content[:8], total)
    rows = header(content[8 : 8 + length], total - 8 - length)
    for name, dtype, _ in rows:
        if dtype.is_floating_point and name in integers:
            raise ValueError(f"{shown(name)} is {dtype}, but it holds whole numbers")
        if not dtype.is_floating_point and name not in integers:
            raise ValueError(f"{shown(name)} is {dtype}; only floating-point weights are read")
    return {name: shape for name, _, shape in rows}


def renamed_weights(named: Mapping[str, Value], renamed: Mapping[str, str]) -> dict[str, Value]:
    """The same under their current names.

    Args:
        renamed: old prefixes → current ones.

    >>> renamed_weights({"score.v": 1, "output.bias": 2}, {"score.": "attend.score."})
    {'attend.score.v': 1, 'output.bias': 2}
    """
    found = {}
    for name, value in named.items():
        begins = next((old for old in renamed if name.startswith(old)), "")
        found[renamed.get(begins, "") + name.removeprefix(begins)] = value
    return found


def _compare(found: Mapping[str, list[int]], expected: Mapping[str, Tensor], path: Path) -> None:
    wrong_shaped = {
        name: (shape, list(expected[name].shape))
        for name, shape in found.items()
        if name in expected and shape != list(expected[name].shape)
    }
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected or wrong_shaped:
        raise CheckpointMismatch(missing, unexpected, wrong_shaped, where=str(path))
