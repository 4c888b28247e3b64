"""Whether there are compiled loops here, and where."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from regard._torch_private import constant_when_compiled

_COMPILED = 'its loops are compiled by Numba, which {}: pip install "regard[cpu]"'


@constant_when_compiled
def has_loops() -> bool:
    """Whether Numba is installed and works, which is found out by importing it."""
    return _fault() is None


@constant_when_compiled
def why_no_loops() -> str:
    """What a plan says of loops where there are none."""
    return _COMPILED.format(_fault() or "is not installed")


@cache
def _fault() -> str | None:
    """Why Numba does not work here: not there, or not for this NumPy, or its compiler is broken."""
    if find_spec("numba") is None:
        return "is not installed"
    try:
        import_module("numba")
    except Exception as error:
        return f"cannot be imported ({type(error).__name__}: {error})"
    return None


@cache
def loops(name: str) -> Any:
    """A module of loops, which are compiled when it is first imported."""
    return import_module(f"regard._kernels.{name}")
