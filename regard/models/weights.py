"""model.safetensors, checked against the model before a byte of it becomes a number.

The header is read here first and compared with what the model expects - names, shapes, dtypes, and
every byte accounted for - so that a wrong or hostile file costs neither memory nor trust.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load, save
from torch import Tensor, nn

from regard._io.files import write_whole
from regard._io.safetensors import header_length
from regard._io.safetensors import read_header as header
from regard.errors import CheckpointMismatch


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
    length = header_length(content[:8], len(content))
    rows = header(content[8 : 8 + length], len(content) - 8 - length)
    for name, dtype, _ in rows:
        if not dtype.is_floating_point:
            raise ValueError(f"{name!r} is {dtype}; only floating-point weights are read")
    return {name: shape for name, _, shape in rows}


def _compare(found: Mapping[str, list[int]], expected: Mapping[str, Tensor], path: Path) -> None:
    wrong_shaped = {
        name: (shape, list(expected[name].shape))
        for name, shape in found.items()
        if name in expected and shape != list(expected[name].shape)
    }
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected or wrong_shaped:
        raise CheckpointMismatch(missing, unexpected, wrong_shaped, where=str(path))
