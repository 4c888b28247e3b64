"""A loop as an address, compiled by Numba and kept in a file where there is a folder for it."""

import hashlib
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_float, c_ssize_t, c_void_p
from functools import cache
from inspect import unwrap
from pathlib import Path
from typing import Any

from numba import cfunc, njit, types
from numba.core.compiler import Compiler

SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; NaN and infinity stay what they are."""


def by_address(
    loop: Callable[..., None], pointers: list[Any], sizes: int, *, numbers: int = 0, **options: Any
) -> Any:
    """The address of a loop as something to call, which lets go of the interpreter meanwhile.

    It takes tensors of these types, so many numbers, and so many sizes, in this order.
    """
    loop = unwrap(loop)
    loop.__qualname__ += f"_{_version()}"
    tensors = [types.CPointer(kind) for kind in pointers]
    signature = types.void(*tensors, *[types.float32] * numbers, *[types.intp] * sizes)
    options["error_model"] = "numpy"  # without a check for zeros before each division
    try:
        made = cfunc(signature, cache=True, **options)(loop)
    except RuntimeError:  # there is no folder that it may be kept in
        made = cfunc(signature, **options)(loop)
    given = [*[c_void_p] * len(pointers), *[c_float] * numbers, *[c_ssize_t] * sizes]
    _KEPT.append(made)
    address: Any = made.address
    return CFUNCTYPE(None, *given)(address)


@cache
def _version() -> str:
    """A digest of all loops and of what they call.

    Numba keeps a compiled loop for as long as the file of the loop itself is what it was, under a
    name that this is made part of.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


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
