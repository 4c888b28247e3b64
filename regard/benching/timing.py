"""Time and memory: sides that take turns, and how far the process grows for one of them."""

import ctypes
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

Run = Callable[[], object]

SHORTEST = 1e-3
"""Seconds of what is clocked at once; shorter calls are repeated."""
MOST_ROUNDS = 300


def medians(runs: Sequence[Run], seconds: float, device: str) -> list[float]:
    """Median seconds of each, all taking turns until the time is over, each at least once.

    Each has been called before: nothing is warmed up here.
    """
    end = time.perf_counter() + seconds
    firsts = [_clock(run, 1, device) for run in runs]
    repeats = [max(1, int(SHORTEST / max(1e-7, first))) for first in firsts]
    times = [[first] for first in firsts]
    took = sum(firsts)
    while len(times[0]) < MOST_ROUNDS and time.perf_counter() + took / 2 < end:
        start = time.perf_counter()
        for own, run, repeat in zip(times, runs, repeats, strict=True):
            own.append(_clock(run, repeat, device) / repeat)
        took = time.perf_counter() - start
    return [statistics.median(own) for own in times]


def clock_of(device: str) -> Callable[[], float]:
    """What tells the time: of one thread on a CPU its own seconds, which other programs do not use.

    Of several threads, and of a GPU, those of the wall.
    """
    alone = device == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def peak_bytes(run: Run, device: str) -> int | None:
    """The most that is held at once while it runs, beyond what was held before.

    On a GPU as PyTorch counts it; on Linux as the kernel does, free memory given back first, so
    that what PyTorch did not allocate counts too. None where neither can be asked.
    """
    if device != "cpu":
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if not _give_back():
        return None
    before = _status("VmRSS")
    run()
    return max(0, _status("VmHWM") - before)


def available_bytes(device: str) -> int | None:
    """How much memory is free; None where nothing says so."""
    if device != "cpu":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable")), None)


def _clock(run: Run, repeat: int, device: str) -> float:
    now = clock_of(device)
    synchronize(device)
    start = now()
    for _ in range(repeat):
        run()
    synchronize(device)
    return now() - start


def synchronize(device: str) -> None:
    """Wait until a GPU has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def _give_back() -> bool:
    """Give free memory back, and have the kernel forget how large the process ever was."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return False
    return True


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
