"""Where a capture computes for itself: unseen, and as if nothing else were on."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from regard._torch_private import autocast_dtype, is_any_autocast


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
    """Unseen, without autocast and without gradients."""
    with unseen(), torch.no_grad():
        if not is_any_autocast():
            yield
            return
        with ExitStack() as stack:
            for device in ("cpu", "cuda"):
                if autocast_dtype(device) is not None:
                    stack.enter_context(torch.autocast(device, enabled=False))
            yield
