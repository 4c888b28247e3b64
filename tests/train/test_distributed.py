"""Many processes make the updates that one makes, agree on each, and none waits without end."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.train.checkpoint import newest
from regard.train.run_folder import BEST, CHECKPOINTS

ROOT = Path(__file__).parents[2]


def sessions(*wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Run sessions, one after the other; see `together`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.together", json.dumps(wanted)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found = newest(folder / CHECKPOINTS)
    assert found is not None
    return {
        f"{group}/{name}": tensor
        for group in ("model", "optimizer")
        for name, tensor in found.read(group).items()
    }


def assert_same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=0, atol=1e-10, msg=name)


WORLDS: dict[str, dict[str, Any]] = {
    "one": {"config": {"accumulate": 2}},
    "two": {"config": {"accumulate": 2}, "world": 2},
    "sharded": {"config": {"accumulate": 2}, "world": 2, "shard": True},
    "one by three": {"config": {"accumulate": 3}},
    "two by three": {"config": {"accumulate": 3}, "world": 2},
    "sharded by three": {"config": {"accumulate": 3}, "world": 2, "shard": True},
    "two, unsaid": {"world": 2},
}
"""Runs to the end; dropout is drawn for each micro-batch, wherever it is computed."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("worlds")
    outcomes = sessions(*({"folder": str(base / name), **w} for name, w in WORLDS.items()))
    for name, outcome in zip(WORLDS, outcomes, strict=True):
        assert set(outcome["codes"]) == {0}, (name, outcome["said"])
    return base


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("one", "two"),
        ("one", "sharded"),
        ("one", "two, unsaid"),
        ("one by three", "two by three"),
        ("one by three", "sharded by three"),
    ],
)
def test_two_processes_make_the_updates_of_one(runs: Path, one: str, other: str) -> None:
    assert_same(runs / one, runs / other)


@pytest.mark.parametrize("name", ["two", "sharded"])
def test_the_best_model_is_whole(runs: Path, name: str) -> None:
    from safetensors.torch import load_file

    best, wanted = (load_file(runs / n / BEST / "model.safetensors") for n in (name, "one"))
    for key, tensor in wanted.items():
        torch.testing.assert_close(best[key], tensor, rtol=0, atol=1e-10)


def test_every_example_is_seen_once_an_epoch_by_one_process(runs: Path) -> None:
    seen: Counter[int] = Counter()
    for path in (runs / "two by three").glob("seen-*.json"):
        seen.update(row for rows in json.loads(path.read_text()) for row in rows)
    # A process without a batch takes part with row 0, which weighs nothing; and one step more is
    # drawn to find the budget spent.
    usual = Counter(seen.values()).most_common(1)[0][0]
    assert usual == 3 and len(seen) == 40 and sum(n == 3 for n in seen.values()) > 20


EVERY = {"evaluate_every": 3}
POISON = {"poison": [5]}
STORIES: dict[str, list[dict[str, Any]]] = {
    "straight": [{"world": 2, "config": EVERY}],
    "two then one": [
        {"world": 2, "config": EVERY, "do": "stop", "at": 5, "rank": 1},
        {"world": 1, "config": EVERY},
    ],
    "one then two": [
        {"config": {**EVERY, "accumulate": 2}, "do": "stop", "at": 5},
        {"world": 2, "config": {**EVERY, "accumulate": 2}},
    ],
    "one then three": [
        {"config": {**EVERY, "accumulate": 2}, "do": "stop", "at": 5},
        {"world": 3, "config": {**EVERY, "accumulate": 2}},
    ],
    "second leaves": [
        {"world": 2, "config": EVERY, "do": "exit", "at": 5, "rank": 1},
        {"world": 2, "config": EVERY},
    ],
    "first is killed": [
        {"world": 2, "config": EVERY, "do": "kill", "at": 5, "rank": 0},
        {"world": 2, "config": EVERY},
    ],
    "second hangs": [
        {"world": 2, "config": EVERY, "do": "hang", "at": 5, "rank": 1, "timeout": 3.0},
        {"world": 1, "config": EVERY},
    ],
    "poisoned": [{"world": 2, "config": EVERY, "task": POISON}],
    "poisoned alone": [{"config": {**EVERY, "accumulate": 2}, "task": POISON}],
    "poisoned, sharded": [{"world": 2, "config": EVERY, "task": POISON, "shard": True}],
    "passed over": [
        {"world": 2, "config": EVERY, "task": POISON},
        {"world": 2, "config": {**EVERY, "max_skips": 1}, "task": POISON},
    ],
}
"""Runs in several sessions, each of which goes on in the folder of the one before it."""
Outcomes = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcomes]:
    base = tmp_path_factory.mktemp("stories")
    flat = [{"folder": str(base / name), **w} for name, story in STORIES.items() for w in story]
    outcomes = iter(sessions(*flat))
    return base, {name: [next(outcomes) for _ in story] for name, story in STORIES.items()}


Told = tuple[Path, Outcomes]


@pytest.mark.parametrize("name", ["two then one", "one then two", "one then three"])
def test_another_number_of_processes_goes_on_with_the_same_updates(told: Told, name: str) -> None:
    base, outcomes = told
    first, second = outcomes[name]
    assert set(first["codes"]) == {143} and set(second["codes"]) == {0}, (first, second)
    assert_same(base / "straight", base / name)


@pytest.mark.parametrize(
    ("name", "lost", "code"),
    [("second leaves", 1, 7), ("first is killed", 0, -9), ("second hangs", 1, -9)],
)
def test_a_lost_process_ends_all_and_the_run_goes_on(
    told: Told, name: str, lost: int, code: int
) -> None:
    base, outcomes = told
    first, second = outcomes[name]
    assert first["codes"][lost] == code and first["codes"][1 - lost] == 1
    assert f"regard: rank {1 - lost} of 2 lost another rank" in first["said"][1 - lost]
    assert "Traceback" not in first["said"][1 - lost]
    assert set(second["codes"]) == {0}, second
    assert_same(base / "straight", base / name)


@pytest.mark.parametrize("name", ["poisoned", "poisoned alone", "poisoned, sharded"])
def test_a_loss_that_is_not_finite_on_one_process_stops_all_before_the_step(
    told: Told, name: str
) -> None:
    base, outcomes = told
    (outcome,) = outcomes[name]
    assert set(outcome["codes"]) == {1}
    assert len(set(outcome["said"])) == 1, "every process says the same"
    said = outcome["said"][0]
    assert " in epoch 1: the loss is nan and the norm of its gradient nan; " in said
    if name == "poisoned, sharded":
        assert "it has the rows " in said and " 5" in said
    else:
        assert "it is not finite for row 5 of the training data alone" in said
    assert_same(base / "poisoned alone", base / name)
    assert all(tensor.isfinite().all() for tensor in weights(base / name).values())


def test_what_is_not_finite_is_passed_over_as_often_as_allowed(told: Told) -> None:
    base, outcomes = told
    first, second = outcomes["passed over"]
    assert set(first["codes"]) == {1} and set(second["codes"]) == {0}, second
    found = newest(base / "passed over" / CHECKPOINTS)
    assert found is not None and found.state["course"]["skips"] == 0
    lines = (base / "passed over" / "metrics.jsonl").read_text().splitlines()
    skipped = [line for line in lines if '"skipped_batch"' in line]
    assert len(skipped) >= 3 and all("row 5 " in line for line in skipped)
