"""Loops over outputs, divided among as many threads as PyTorch has.

The loops let go of the interpreter, so that ordinary threads will do; they are kept from call to
call. A process that was forked has none of its parent's, and makes its own.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import Any

import torch

LEAST = 1 << 20
"""Bytes of a slice below which waking another thread takes longer than reading them."""


def in_slices(loop: Callable[..., Any], *given: Any, outputs: int, size: int) -> None:
    """Call `loop(*given, first, last)` for slices of the outputs, which take `size` bytes in all.

    Whoever calls does the slices that no other thread has begun, all of them where there is none
    to be had: the system has no more, or the interpreter is about to end. No loop runs any more
    when this returns or raises, because the memory that it writes to may be gone then.

    >>> found = []
    >>> in_slices(lambda *given: found.append(given), "x", outputs=5, size=80)
    >>> found
    [('x', 0, 5)]
    """
    parts = min(torch.get_num_threads(), size // LEAST, outputs)
    if parts < 2:
        loop(*given, 0, outputs)
        return
    left = deque(pairwise(outputs * part // parts for part in range(parts + 1)))

    def work() -> None:
        while left:
            try:
                first, last = left.popleft()
            except IndexError:  # another thread was faster
                return
            loop(*given, first, last)

    helpers: list[Future[None]] = []
    try:
        for _ in range(parts - 1):
            helpers.append(_threads(parts - 1).submit(work))
    except RuntimeError:
        pass
    try:
        work()
    finally:
        left.clear()
        _await(helpers)
    for helper in helpers:
        if not helper.cancelled():
            helper.result()


def _await(helpers: Sequence[Future[None]]) -> None:
    """Wait until none of them runs, also through an interruption, which is raised afterwards."""
    interruption: BaseException | None = None
    for helper in helpers:
        while not (helper.cancel() or helper.done()):
            try:
                wait([helper])
            except KeyboardInterrupt as error:
                interruption = error
    if interruption is not None:
        raise interruption


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="regard")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)
