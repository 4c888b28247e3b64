"""A loop as an address, compiled by Numba and kept in a file where there is a folder for it.

What is kept is compiled again when the file of the loop changes, not when that of a function does
that it calls from elsewhere: whoever changes one removes `__pycache__/*.nbi`.
"""

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_ssize_t, c_void_p
from inspect import unwrap
from typing import Any

from numba import cfunc, njit, types
from numba.core.compiler import Compiler

SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; NaN and infinity stay what they are."""


def by_address(loop: Callable[..., None], pointers: list[Any], sizes: int, **options: Any) -> Any:
    """The address of a loop as something to call, which lets go of the interpreter meanwhile."""
    signature = types.void(*[types.CPointer(kind) for kind in pointers], *[types.intp] * sizes)
    options["error_model"] = "numpy"  # without a check for zeros before each division
    try:
        made = cfunc(signature, cache=True, **options)(unwrap(loop))
    except RuntimeError:  # there is no folder that it may be kept in
        made = cfunc(signature, **options)(unwrap(loop))
    kind = CFUNCTYPE(None, *[c_void_p] * len(pointers), *[c_ssize_t] * sizes)
    _KEPT.append(made)
    address: Any = made.address
    return kind(address)


_KEPT: list[Any] = []
"""What the addresses belong to."""


class _Apart(Compiler):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.state.flags.noalias = True


def inner(loop: Callable[..., Any], *, are_apart: bool = False, **options: Any) -> Any:
    """A function for loops to call.

    What checks shapes in tests wraps every function, and Numba compiles none that is wrapped.

    Args:
        are_apart: nothing that it writes overlaps with anything else that it is given, so that it
            need not be asked before each loop whether it does.
    """
    if are_apart:
        options["pipeline_class"] = _Apart
    return njit(error_model="numpy", forceinline=True, **options)(unwrap(loop))
