"""Slices of a loop among threads: all of them are done, and none runs on, whatever happens."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from regard._kernels import slices
from regard._kernels.slices import LEAST, in_slices
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(1)


def begun(seen: list[tuple[int, int]]) -> None:
    """Fail unless each of eleven outputs was had once."""
    assert sorted(seen) == [(0, 2), (2, 5), (5, 8), (8, 11)]


def test_every_output_is_had_once() -> None:
    for _ in range(50):
        seen: list[tuple[int, int]] = []
        in_slices(
            lambda first, last, seen=seen: seen.append((first, last)), outputs=11, size=1 << 30
        )
        begun(seen)


def test_where_there_are_no_threads_the_caller_does_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def submit(self, *given: object) -> None:
            raise RuntimeError("can't start new thread")

    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(slices, "_threads", lambda count: Full())
    in_slices(lambda first, last: seen.append((first, last)), outputs=11, size=1 << 30)
    begun(seen)


def test_an_interruption_waits_for_the_loops_that_run() -> None:
    caller, running, ended = threading.get_ident(), threading.Event(), threading.Event()

    def loop(first: int, last: int) -> None:
        if threading.get_ident() == caller:
            running.wait(PATIENCE)
            raise KeyboardInterrupt
        running.set()
        time.sleep(0.2)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        in_slices(loop, outputs=2, size=2 * LEAST)
    assert ended.is_set()


def test_a_slice_that_nobody_has_begun_is_left_after_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller, seen, wait_for = threading.get_ident(), [], slices._await
    running, failed = threading.Event(), threading.Event()

    def loop(first: int, last: int) -> None:
        seen.append(first)
        if threading.get_ident() == caller:
            running.wait(PATIENCE)
            raise ArithmeticError("in a slice")
        running.set()
        assert failed.wait(PATIENCE)

    def waiting(helpers: Any) -> None:
        failed.set()
        wait_for(helpers)

    one = ThreadPoolExecutor(1)
    monkeypatch.setattr(slices, "_threads", lambda count: one)
    monkeypatch.setattr(slices, "_await", waiting)
    with pytest.raises(ArithmeticError):
        in_slices(loop, outputs=8, size=4 * LEAST)
    one.shutdown()
    assert len(seen) == 2


LATE = """
import atexit, threading, time, torch
from regard._kernels.slices import in_slices
torch.set_num_threads(4)
def call():
    seen = []
    in_slices(lambda first, last: seen.append(last - first), outputs=9, size=1 << 30)
    print(sum(seen), flush=True)
def late():
    threading.main_thread().join()
    time.sleep(0.3)
    call()
call()
atexit.register(call)
threading.Thread(target=late).start()
"""


def test_threads_that_outlive_the_main_one_and_exit_handlers_may_call() -> None:
    told = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, timeout=PATIENCE
    )
    assert told.stdout.split() == ["9", "9", "9"], told.stderr
