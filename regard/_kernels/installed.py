"""Whether there are compiled loops here, and where."""

from functools import cache
from importlib.util import find_spec
from typing import Any

_FOUND = find_spec("numba") is not None


def has_loops() -> bool:
    """Whether Numba is installed."""
    return _FOUND


@cache
def loops() -> Any:
    """The module of the loops, which are compiled when it is first imported."""
    from regard._kernels import compiled

    return compiled
