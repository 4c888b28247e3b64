"""`launch` starts torchrun for the user: one voice, one exit code, and signals reach everyone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regard.training.launch import launch
from tests.patience import PATIENCE

LAUNCHER = """
import sys
from regard.training.launch import launch
sys.exit(launch(2, sys.argv[1:], module="rank_worker"))
"""
FIRST_LINE = "0/2 [2.0, 1.0] ['', 'héllo\\n']\n"


@contextmanager
def launched(kind: str) -> Iterator[subprocess.Popen[str]]:
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "1",
    }
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_only_the_first_rank_is_heard_and_why_another_failed_is_shown() -> None:
    with launched("fail") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, FIRST_LINE)
    assert "lost another rank" in err or "the disk of rank 1 is full" in err
    assert "Traceback" not in err and len(err.splitlines()) <= 2


@pytest.mark.slow
def test_a_rank_that_hangs_is_killed_and_the_others_say_why() -> None:
    with launched("hang") as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "gave no sign for 3 s; start again" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_reaches_every_rank(number: int, code: int) -> None:
    with launched("work") as process:
        assert process.stdout is not None and process.stdout.readline() == FIRST_LINE
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (code, "")


@pytest.mark.slow
def test_a_second_signal_ends_every_rank_at_once() -> None:
    with launched("stubborn") as process:
        assert process.stdout is not None and process.stdout.readline() == FIRST_LINE
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        # The pipes close when no rank is left that holds them.
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 143


def test_fewer_than_one_process_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        launch(0, [])
