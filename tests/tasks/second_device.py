"""A second device on a machine that has none: tensors that say they are there, and do not mix.

Their numbers are on the CPU, so that results can be compared; but an operation on tensors of both
devices fails as it does with a GPU, and so does `numpy()`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("xpu", 0)

MAY_MIX = {"to", "copy_", "type_as", "_pack_padded_sequence", "lstm", "gru"}
"""Functions that take tensors of two devices; recurrences have the sizes of steps on the CPU."""


class Moved(Tensor):
    """A tensor on the second device."""

    @classmethod
    def of(cls, tensor: Tensor) -> Tensor:
        return tensor.detach().as_subclass(cls)


class SecondDevice(TorchFunctionMode):
    """While it is on, tensors can be on the second device."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = function.__name__, dict(kwargs or {})
        given = list(_tensors(*args, *kwargs.values()))
        moved = any(isinstance(x, Moved) for x in given)
        if function == Tensor.device.__get__:
            return DEVICE if moved else torch.device("cpu")
        _require_one_device(name, args, given)
        there = moved
        if name in ("cpu", "tolist", "item", "numpy"):
            there = False
        elif name in ("__setitem__", "copy_"):
            there = isinstance(args[0], Moved)
        elif name in ("to", "type_as") and isinstance(args[-1], Tensor) and len(args) > 1:
            there = isinstance(args[-1], Moved)
        places = [x for x in (*args[:3], kwargs.get("device")) if _is_place(x)]
        if places:
            there = torch.device(places[-1]) == DEVICE
            args = tuple(torch.device("cpu") if _is_place(x) else x for x in args)
            kwargs = {key: torch.device("cpu") if _is_place(x) else x for key, x in kwargs.items()}
        if name == "numpy" and moved:
            raise TypeError(f"can't convert a tensor on {DEVICE} to numpy; call cpu() first")
        with torch._C.DisableTorchFunctionSubclass():
            found = function(*args, **kwargs)
        if isinstance(found, Tensor):
            return _placed(found, there)
        return tree_map(lambda x: _placed(x, there) if isinstance(x, Tensor) else x, found)


def _tensors(*values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(*value)


def _is_place(value: Any) -> bool:
    text = value if isinstance(value, str) else str(value) if type(value) is torch.device else ""
    return text in ("cpu", str(DEVICE), DEVICE.type)


def _placed(tensor: Tensor, there: bool) -> Tensor:
    kind = Moved if there else Tensor
    keeps = isinstance(tensor, Moved) is there or (not there and isinstance(tensor, nn.Parameter))
    return tensor if keeps else tensor.as_subclass(kind)


def _require_one_device(name: str, args: Any, given: list[Tensor]) -> None:
    if name in MAY_MIX:
        return
    if name in ("__getitem__", "__setitem__") and isinstance(args[0], Moved):
        given = [args[0], *_tensors(*args[2:])]
    sides = {isinstance(x, Moved) for x in given if x.ndim}
    if len(sides) > 1:
        raise RuntimeError(f"{name}: expected all tensors on one device, found cpu and {DEVICE}")


@contextmanager
def second_device(model: nn.Module) -> Iterator[None]:
    """Move a model to `DEVICE`, which exists as long as the block lasts."""
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        model._apply(Moved.of)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
    generators = torch.Generator

    def generator(device: Any = "cpu") -> torch.Generator:
        assert torch.device(device) in (DEVICE, torch.device("cpu"))
        return generators()

    with patch("torch.Generator", generator), SecondDevice():
        yield
