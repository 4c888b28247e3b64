"""Asked to stop, or killed at any moment: the run goes on, and ends as the one in one go."""

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from regard.training.checkpoint import newest
from regard.training.run_folder import BEST, CHECKPOINTS
from tests.training.warm import Warm, training, write_pairs

HARD = ("--steps", "40", "--workers", "2", "--set", "accumulate=3", "--set", "average=3")
"""Shuffling, dropout, accumulation, workers and averaging at once."""


def left(run: Path) -> dict[str, Any]:
    """What must not depend on where a run was stopped."""
    found = newest(run / CHECKPOINTS)
    assert found is not None
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    valid = {e["step"]: e["loss"] for e in lines if e["kind"] == "valid"}
    return {
        "model": (found.path / "model.safetensors").read_bytes(),
        "optimizer": (found.path / "optimizer.safetensors").read_bytes(),
        "best": (run / BEST / "model.safetensors").read_bytes(),
        "place": found.state["place"],
        "valid": valid,
    }


@pytest.fixture(scope="module")
def straight(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("straight")
    write_pairs(folder)
    code, said = warm.train(folder, *HARD)
    assert code == 0, said
    return left(folder / "run")


def has_steps(run: Path, step: int) -> bool:
    return any(int(path.name[5:]) >= step for path in (run / CHECKPOINTS).glob("step-*[0-9]"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_signal_saves_once_and_the_run_goes_on(
    warm: Warm, tmp_path: Path, straight: dict[str, Any], number: int, code: int
) -> None:
    write_pairs(tmp_path)
    ended, said = warm.train(tmp_path, *HARD, signal_at=(7, [number]))
    assert ended == code
    assert "Resume it with: regard train --resume run" in said
    assert newest(tmp_path / "run" / CHECKPOINTS).step == 7
    assert "Interrupted at step 7; " in said and (tmp_path / "run" / BEST).exists()
    again, said = warm.run(tmp_path, "train", "--resume", "run", "--workers", "1")
    assert again == 0, said
    assert left(tmp_path / "run") == straight


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT]
)
def test_a_second_signal_ends_at_once_and_does_no_damage(
    warm: Warm, tmp_path: Path, straight: dict[str, Any], number: int
) -> None:
    write_pairs(tmp_path)
    code, said = warm.train(tmp_path, *HARD, signal_at=(7, [number, number]))
    assert code == 128 + number
    assert "Traceback" not in said and "Interrupted" not in said
    assert warm.train(tmp_path, *HARD)[0] == 0
    assert left(tmp_path / "run") == straight


def kill_often(warm: Warm, folder: Path, kills: int, longest: float) -> int:
    """Kill a run so often, then let it end.

    Each time after less than `longest` seconds, and at the latest after ten more steps: however
    fast the machine is, the first three kills come before the end.
    """
    rng, hits = random.Random(kills), 0
    for _ in range(kills):
        found = newest(folder / "run" / CHECKPOINTS, mend=False)
        far = (found.step if found else 0) + 10
        run = warm.start(folder, *training(*HARD), signal_at=(far, [signal.SIGKILL]))
        end = time.monotonic() + rng.uniform(0.0, longest)
        while time.monotonic() < end and not run.has_ended():
            time.sleep(0.001)
        run.send(signal.SIGKILL)
        hits += run.wait() == -signal.SIGKILL
        if has_steps(folder / "run", 40):
            break
    code, said = warm.train(folder, *HARD)
    assert code == 0, said
    return hits


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_the_one_in_one_go(
    warm: Warm, tmp_path: Path, straight: dict[str, Any]
) -> None:
    write_pairs(tmp_path)
    assert kill_often(warm, tmp_path, 4, 1.2) >= 2
    assert left(tmp_path / "run") == straight


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_at_a_dozen_moments_ends_as_the_one_in_one_go(
    warm: Warm, tmp_path: Path, straight: dict[str, Any], seed: int
) -> None:
    write_pairs(tmp_path)
    assert kill_often(warm, tmp_path, 12 + seed, 0.8) >= 2
    assert left(tmp_path / "run") == straight
