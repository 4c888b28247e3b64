"""Where a capture computes for itself: unseen, and as if nothing else were on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Local(threading.local):
    """The watch of each thread, if one is on, and how deep it looks away.

    `full_length` is that of the sequences which became a nested tensor last, 0 if none did.
    """

    watch: Any = None
    away: int = 0
    full_length: int = 0


local = Local()


@contextmanager
def unseen() -> Iterator[None]:
    """Where this thread's watch looks away."""
    local.away += 1
    try:
        yield
    finally:
        local.away -= 1


@contextmanager
def undisturbed() -> Iterator[None]:
    """Unseen, without autocast, and outside of inference mode."""
    with (
        unseen(),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False) if torch.cuda.is_available() else unseen(),
    ):
        yield
