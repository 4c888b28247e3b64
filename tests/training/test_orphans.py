"""A process that is to end with its parent does, however early or late that is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regard._io.leftovers import temporary_name
from regard.training.run_folder import CHECKPOINTS
from tests.patience import PATIENCE, until
from tests.training.test_faults_ranks import gone, ranks_of
from tests.training.warm import Warm, training, write_pairs

CHILD = """
import os, sys, time
from regard.training import orphans
sys.platform = sys.argv[1]
if sys.argv[2] == "late":
    while os.getppid() == int(os.environ[orphans.PARENT]):
        time.sleep(0.01)
orphans.die_with_parent(look_every=0.01)
print("living", flush=True)
time.sleep(1000)
"""
PARENT = """
import os, subprocess, sys
from regard.training.orphans import PARENT
os.environ[PARENT] = str(os.getpid())
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.PIPE)
print(child.pid, flush=True)
if sys.argv[-1] == "early":
    child.stdout.readline()
os._exit(0)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("asked", ["early", "late"])
def test_a_process_ends_with_the_one_that_started_it(platform: str, asked: str) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PARENT, CHILD, platform, asked],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        timeout=PATIENCE,
    )
    child = int(done.stdout.split()[0])
    until(lambda: gone([child]))


@pytest.mark.slow
def test_processes_and_their_logs_do_not_outlive_the_launcher(
    warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pairs(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    arguments = training("--steps", "100000", "--devices", "2")
    run = warm.start(tmp_path, *arguments, environment={"TMPDIR": str(logs)})
    run.until(lambda: list((tmp_path / "run" / CHECKPOINTS).glob("step-*[0-9]")))
    everyone = [*run.children, *ranks_of(run)]
    assert len(everyone) == 3 and list(logs.glob(".regard*"))
    run.send(signal.SIGKILL)
    run.wait()
    until(lambda: gone(everyone))
    assert not list(logs.glob(".regard*"))


def test_logs_of_a_launcher_that_was_lost_with_all_others_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regard.training.launch import launch

    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    name = temporary_name("regard-logs").removesuffix("tmp")
    lost = tmp_path / f"{name.replace(str(os.getpid()), str(ended.pid))}x1.tmp"
    mine = tmp_path / f"{name}x2.tmp"
    lost.mkdir()
    mine.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert launch(1, ["--version"]) == 0
    assert not lost.exists() and mine.exists()
