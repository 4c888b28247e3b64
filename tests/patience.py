"""Waiting for something to happen, on a machine of any speed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds after which what does not come is taken to hang: nothing else depends on them."""


def until(seen: Callable[[], T], lost: Callable[[], object] = lambda: False) -> T:
    """Wait until something is seen, and return it; fails when it is lost, or hangs."""
    end = time.monotonic() + PATIENCE
    while not (found := seen()):
        assert not lost() and time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
    return found
