"""Processes that end with the process that started them."""

import ctypes
import os
import signal
import sys
import threading
import time

CHILD = "REGARD_CHILD"
"""Environment variable of processes that `launch` starts: they do not outlive it."""
PARENT = "REGARD_PARENT"
"""Environment variable with the id of the process that such a process does not outlive."""
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL, look_every: float = 0.5) -> int:
    """Receive a signal when the parent process ends, even if it has already ended.

    Linux delivers it; elsewhere a thread polls the parent's id. Returns the id that the parent
    has, or had.
    """
    parent = int(os.environ.get(PARENT, os.getppid()))
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent, number, look_every), daemon=True).start()
        return parent
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
    return parent


def _watch(parent: int, number: int, look_every: float) -> None:
    while os.getppid() == parent:
        time.sleep(look_every)
    os.kill(os.getpid(), number)
