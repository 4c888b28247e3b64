"""Processes that end when the one that started them does."""

import ctypes
import os
import signal
import sys
import threading
import time

CHILD = "REGARD_CHILD"
"""Set in the environment of processes that `launch` starts: they do not outlive it."""
PARENT = "REGARD_PARENT"
"""Set beside it, to the number of the process that such a process does not outlive."""
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL, look_every: float = 0.5) -> int:
    """Receive a signal when the parent process ends, also when it has ended already.

    Linux is asked for it; elsewhere a thread looks now and then who the parent is. Returns the
    number that the parent has, or had.
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
