"""The first signal requests, the second forces, and afterwards everything is as before."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regard.training.signals import graceful
from tests.patience import PATIENCE

WORKER = """
import sys, time
from regard.training.signals import graceful
with graceful() as stop:
    sys.stdout.write("ready\\n"); sys.stdout.flush()
    while stop.number is None or sys.argv[1] == "stubborn":
        if stop.number is not None:
            sys.stdout.write("asked\\n"); sys.stdout.flush()
        time.sleep(0.02)
sys.stdout.write("saved\\n")
sys.exit(stop.exit_code)
"""


@contextmanager
def worker(kind: str) -> Iterator[subprocess.Popen[str]]:
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_lets_the_work_end_with_its_exit_code(number: int, code: int) -> None:
    with worker("willing") as process:
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE)[0] == "saved\n"
    assert process.returncode == code


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        (signal.SIGINT, signal.SIGINT, {130, -signal.SIGINT}),
        (signal.SIGTERM, signal.SIGTERM, {143}),
        (signal.SIGINT, signal.SIGTERM, {143}),
    ],
)
def test_a_second_signal_ends_it_at_once(first: int, second: int, codes: set[int]) -> None:
    with worker("stubborn") as process:
        process.send_signal(first)
        assert process.stdout is not None and process.stdout.readline() == "asked\n"
        process.send_signal(second)
        assert "saved" not in process.communicate(timeout=PATIENCE)[0]
    assert process.returncode in codes


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_within_a_destructor_is_not_lost(number: int, code: int) -> None:
    script = f"""
import os, signal, time
from regard.training.signals import graceful
class Signalled:
    def __del__(self):
        os.kill(os.getpid(), {int(number)})
        time.sleep(0.05)
with graceful():
    os.kill(os.getpid(), {int(number)})
    Signalled()
    time.sleep(1000)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode in {code, -number}
    assert "ignored" not in done.stderr


def test_a_signal_that_is_sent_again_is_sent_until_it_is_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = []

    def lost_at_first(process: int, number: int) -> None:
        sent.append(number)
        if len(sent) > 1:
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt), graceful() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(os, "kill", lost_at_first)
        stop.again(signal.SIGINT)
        for _ in range(int(PATIENCE / 0.01)):
            time.sleep(0.01)
    assert sent == [signal.SIGINT] * 2


def test_the_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    report = sys.unraisablehook
    with graceful() as stop:
        assert signal.getsignal(signal.SIGTERM) not in before
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.number, stop.exit_code) == (signal.SIGTERM, 143)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert sys.unraisablehook is report
    with graceful() as stop:
        assert (stop.number, stop.exit_code) == (None, 0)


def test_other_threads_may_use_it_too() -> None:
    seen = []

    def work() -> None:
        with graceful() as stop:
            seen.append(stop.number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
