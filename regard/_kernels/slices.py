"""Loops over outputs, divided among as many threads as PyTorch has.

The loops let go of the interpreter, so that ordinary threads will do; they are kept from call to
call. A process that was forked has none of its parent's, and makes its own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch

LEAST = 1 << 20
"""Bytes of a slice below which waking another thread takes longer than reading them."""


def in_slices(loop: Callable[..., Any], *given: Any, outputs: int, size: int) -> None:
    """Call `loop(*given, first, last)` for slices of the outputs, which take `size` bytes in all.

    >>> found = []
    >>> in_slices(lambda *given: found.append(given), "x", outputs=5, size=80)
    >>> found
    [('x', 0, 5)]
    """
    parts = min(torch.get_num_threads(), size // LEAST, outputs)
    if parts < 2:
        loop(*given, 0, outputs)
        return
    ends = [outputs * part // parts for part in range(parts + 1)]
    others = [
        _threads(parts - 1).submit(loop, *given, first, last)
        for first, last in zip(ends[1:], ends[2:], strict=False)
    ]
    loop(*given, 0, ends[1])
    for other in others:
        other.result()


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="regard")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)
