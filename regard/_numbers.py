"""Numbers that callers give: Python's, NumPy's, or a tensor with one element, all the same."""

import math
import operator
from typing import Any

import torch
from torch import Tensor


def count(owner: str, name: str, value: Any, least: int, hint: str) -> int:
    """The whole number that `value` is; it raises for anything else, or one below `least`.

    >>> count("Block", "size", 4, least=1, hint="a block holds a position")
    4
    """
    if isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
        number: Any = value
    else:
        number = _index(owner, name, value, hint)
    if number < least:
        raise ValueError(f"{owner} needs {name} >= {least}, got {number}; {hint}.")
    return number


def _index(owner: str, name: str, value: Any, hint: str) -> int:
    """What NumPy's integers and others with `__index__` stand for; booleans and tensors do not."""
    if isinstance(value, (bool, Tensor)) or type(value).__name__ in ("bool_", "bool"):
        raise TypeError(f"{owner} needs {name} to be an int, got {type(value).__name__}; {hint}.")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{owner} needs {name} to be an int, got {type(value).__name__}; {hint}."
        ) from None


def number(owner: str, name: str, value: Any, above: float, hint: str) -> Any:
    """A finite number above `above`, as a float, or the scalar tensor that was given.

    A tensor may be learned; it is not looked at, since that would wait for its device and end a
    recording. It must hold one floating number.

    >>> number("SoftCap", "cap", 50, above=0.0, hint="Gemma 2 uses 50")
    50.0
    """
    if isinstance(value, Tensor):
        if value.numel() != 1 or not value.is_floating_point():
            raise ValueError(
                f"{owner} needs {name} to be one floating number, got a tensor of "
                f"{value.numel()} numbers of {value.dtype}; {hint}."
            )
        return value
    # A number that varies in a compiled function is known by these types; no more may be asked.
    plain = isinstance(value, (float, int, torch.SymFloat, torch.SymInt))
    logical = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if logical or not (plain or (hasattr(value, "__float__") and not isinstance(value, str))):
        raise TypeError(f"{owner} needs {name} to be a number, got {type(value).__name__}; {hint}.")
    value = value if isinstance(value, torch.SymFloat) else float(value)
    if not above < value < math.inf:
        raise ValueError(f"{owner} needs {above:g} < {name} < inf, got {value:g}; {hint}.")
    return value


def scalar(value: Any, like: Tensor) -> Any:
    """A number ready to meet the numbers of `like`: a 0-d tensor in its dtype, or a float."""
    return value.reshape(()).to(like.dtype) if isinstance(value, Tensor) else value
