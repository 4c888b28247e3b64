"""`--devices`, torchrun and two hosts: they learn the same, stop together, and leave nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from regard.training.checkpoint import newest
from regard.training.run_folder import BEST, CHECKPOINTS
from tests.patience import PATIENCE
from tests.training.warm import ROOT, Run, Warm, training, write_pairs

STEPS = ("--steps", "8", "--set", "accumulate=2", "--set", "optimizer=adamw")
ENDLESS = ("--steps", "100000", "--set", "accumulate=2", "--timeout", "5")


def write_splits(folder: Path) -> None:
    """The pairs as training, validation and test data: a folder `data`."""
    lines = write_pairs(folder).read_text().splitlines(keepends=True)
    (folder / "data").mkdir()
    for name, part in {"train": lines[:44], "valid": lines[44:52], "test": lines[52:]}.items():
        (folder / "data" / f"{name}.tsv").write_text("".join(part))


@pytest.fixture(scope="module")
def alone(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process, whose data others may use."""
    folder = tmp_path_factory.mktemp("alone")
    write_splits(folder)
    code, said = warm.train(folder, *STEPS, "--data", "data")
    assert code == 0, said
    return folder


def measured(run: Path, kind: str) -> dict[str, float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if line["kind"] == kind][-1]
    return {key: last[key] for key in ("loss", "chrf")}


def assert_learned_the_same(one: Path, other: Path) -> None:
    first, second = (load_file(run / BEST / "model.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=0, atol=2e-5, msg=name)
    for kind in ("valid", "test"):
        assert measured(other, kind) == pytest.approx(measured(one, kind), abs=1e-3)


@pytest.mark.slow
def test_sharded_processes_learn_and_are_examined_as_one_is(
    warm: Warm, alone: Path, tmp_path: Path
) -> None:
    write_splits(tmp_path)
    code, said = warm.train(tmp_path, *STEPS, "--data", "data", "--devices", "2", "--shard")
    assert code == 0, said
    assert said.count("read as translate") == 1, "one process alone speaks"
    assert_learned_the_same(alone / "run", tmp_path / "run")
    code, said = warm.run(tmp_path, "predict", "run", "abca", "--beam", "2")
    assert code == 0, said
    # What was sharded goes on in one process, from whole tensors.
    code, said = warm.run(tmp_path, "train", "--resume", "run", "--steps", "12")
    assert code == 0 and "resumed" in (tmp_path / "run" / "metrics.jsonl").read_text(), said


def torchrun(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", "regard"]
    arguments = training(*STEPS, "--data", "data", "--timeout", "30")
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_torchrun_by_hand_is_recognized(alone: Path, tmp_path: Path) -> None:
    write_splits(tmp_path)
    done = torchrun(tmp_path, "--standalone", "--nproc-per-node=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("read as translate") == 1
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2
    assert_learned_the_same(alone / "run", tmp_path / "run")


def ranks_of(run: Run) -> list[int]:
    """The processes that train, the first one first: children of torchrun, child of `run`."""
    found = []
    for agent in run.children:
        path = Path(f"/proc/{agent}/task/{agent}/children")
        found += [int(pid) for pid in path.read_text().split()] if path.exists() else []
    ranks = {}
    for pid in found:
        try:
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        numbers = [entry[5:] for entry in entries if entry.startswith(b"RANK=")]
        if numbers:
            ranks[int(numbers[0])] = pid
    return [ranks[rank] for rank in sorted(ranks)]


def gone(pids: list[int]) -> bool:
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return False
        except OSError:
            continue
    return True


def started(warm: Warm, folder: Path, *arguments: str) -> tuple[Run, list[int]]:
    """Two processes that train without end and have saved something."""
    write_pairs(folder)
    run = warm.start(folder, *training(*ENDLESS, "--devices", "2", *arguments))
    run.until(lambda: list((folder / "run" / CHECKPOINTS).glob("step-*[0-9]")))
    ranks = ranks_of(run)
    assert len(ranks) == 2
    return run, ranks


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_all_processes_together_and_saves(
    warm: Warm, tmp_path: Path, number: int, code: int
) -> None:
    run, ranks = started(warm, tmp_path, "--workers", "1")
    run.send(number)
    assert run.wait() == code, run.text
    assert "Interrupted at step" in run.text and "Traceback" not in run.text
    assert gone(ranks)
    found = newest(tmp_path / "run" / CHECKPOINTS)
    assert found is not None and f"Interrupted at step {found.step};" in run.text


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs_ends_all_in_time(
    warm: Warm, tmp_path: Path, lost: int, number: int
) -> None:
    run, ranks = started(warm, tmp_path)
    os.kill(ranks[lost], number)
    assert run.wait() not in (0, 143)
    assert gone(ranks), "no process stays"
    lines = [line for line in run.text.splitlines() if line.startswith("regard: ")]
    assert len(lines) in (1, 2) and "Traceback" not in run.text, run.text
    # What is left goes on with one process.
    before = newest(tmp_path / "run" / CHECKPOINTS)
    assert before is not None
    again = warm.start(tmp_path, *training(*ENDLESS))
    again.until(lambda: newest(tmp_path / "run" / CHECKPOINTS, mend=False).step > before.step)
    again.send(signal.SIGTERM)
    assert again.wait() == 143
