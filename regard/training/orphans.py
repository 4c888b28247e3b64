"""Processes that end when the one that started them does."""

import ctypes
import signal
import sys

CHILD = "REGARD_CHILD"
"""Set in the environment of processes that `launch` starts: they do not outlive it."""
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the system for a signal when the parent process ends; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
