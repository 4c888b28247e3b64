"""One trainer at a time, and a killed one leaves nothing that locks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regard.training.lock import NAME, locked

HOLDER = """
import sys, time
from pathlib import Path
from regard.training.lock import locked
with locked(Path(sys.argv[1])):
    sys.stdout.write("held\\n"); sys.stdout.flush()
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("killed", [False, True])
def test_a_second_trainer_is_told_the_first_and_may_follow_it(tmp_path: Path, killed: bool) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(BlockingIOError, match=f"process {first.pid} is training in") as caught:
            with locked(tmp_path):
                pass
        assert str(tmp_path) in str(caught.value)
        first.send_signal(signal.SIGKILL) if killed else first.communicate()
    assert (tmp_path / NAME).exists()
    with locked(tmp_path):
        assert (tmp_path / NAME).read_text() == str(os.getpid())


def test_one_process_may_not_hold_a_folder_twice_but_one_after_the_other(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pass
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_what_another_program_left_in_the_file_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff" * 100)
    with locked(tmp_path):
        assert (tmp_path / NAME).read_text() == str(os.getpid())


def test_a_process_that_was_forked_does_not_hold_what_its_killed_parent_held(
    tmp_path: Path,
) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from regard.training.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    child = os.fork()\n"
        "    if child: print(child, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            with locked(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)
