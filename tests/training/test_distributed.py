"""Many processes make the updates that one makes, agree on each, and none waits without end."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from regard.training.checkpoint import newest
from regard.training.run_folder import BEST, CHECKPOINTS
from regard.training.run_writer import state_in
from tests.training.marks import slow

ROOT = Path(__file__).parents[2]


Outcomes = list[dict[str, Any]]
Told = Callable[[str], tuple[Path, Outcomes]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The folder of a story and how its sessions ended, each story told once."""
    base, known = tmp_path_factory.mktemp("stories"), dict[str, Outcomes]()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.together"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    def tell(name: str) -> tuple[Path, Outcomes]:
        assert process.stdin is not None and process.stdout is not None
        if name not in known:
            wanted = [{"folder": str(base / name), **session} for session in STORIES[name]]
            process.stdin.write(json.dumps(wanted) + "\n")
            process.stdin.flush()
            known[name] = json.loads(process.stdout.readline())
        return base / name, known[name]

    with process:
        yield tell
        process.kill()


def ended(told: Told, name: str) -> Path:
    """The folder of a story all of whose processes came to the end."""
    folder, outcomes = told(name)
    assert set(outcomes[-1]["codes"]) == {0}, outcomes[-1]
    return folder


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


EVERY = {"evaluate_every": 3}
TWO, THREE = {**EVERY, "accumulate": 2}, {**EVERY, "accumulate": 3}
POISON = {"poison": [5]}
ONCE, EARLY = {"task": {"layers": "one"}}, {"task": {"layers": "early"}}
STORIES: dict[str, Outcomes] = {
    "one": [{"config": TWO}],
    "two": [{"world": 2, "config": TWO}],
    "two, unsaid": [{"world": 2, "config": EVERY}],
    "sharded": [{"world": 2, "config": TWO, "shard": True}],
    "one by three": [{"config": THREE}],
    "two by three": [{"world": 2, "config": THREE}],
    "sharded by three": [{"world": 2, "config": THREE, "shard": True}],
    "one block": [{"config": TWO, **ONCE}],
    "one block, sharded": [{"world": 2, "config": TWO, "shard": True, **ONCE}],
    "early": [{"config": THREE, **EARLY}],
    "early by two": [{"world": 2, "config": THREE, **EARLY}],
    "early, sharded": [{"world": 2, "config": THREE, "shard": True, **EARLY}],
    "two then one": [
        {"world": 2, "config": EVERY, "do": "stop", "at": 5, "rank": 1},
        {"world": 1, "config": EVERY},
    ],
    "one then two": [{"config": TWO, "do": "stop", "at": 5}, {"world": 2, "config": TWO}],
    "one then three": [{"config": TWO, "do": "stop", "at": 5}, {"world": 3, "config": TWO}],
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
    "poisoned alone": [{"config": TWO, "task": POISON}],
    "poisoned, sharded": [{"world": 2, "config": EVERY, "task": POISON, "shard": True}],
    "passed over": [
        {"world": 2, "config": EVERY, "task": POISON},
        {"world": 2, "config": {**EVERY, "max_skips": 1}, "task": POISON},
    ],
}
"""Runs in one or more sessions, each of which goes on in the folder of the one before it."""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("one", "two"),
        slow("one", "two, unsaid"),
        slow("one", "sharded"),
        slow("one by three", "two by three"),
        slow("one by three", "sharded by three"),
        slow("one block", "one block, sharded"),
        slow("early", "early by two"),
        slow("early", "early, sharded"),
    ],
)
def test_two_processes_make_the_updates_of_one(told: Told, one: str, other: str) -> None:
    assert_same(ended(told, one), ended(told, other))
    best = [load_file(told(name)[0] / BEST / "model.safetensors") for name in (one, other)]
    for key, tensor in best[0].items():
        torch.testing.assert_close(best[1][key], tensor, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_every_example_is_seen_once_an_epoch_by_one_process(told: Told) -> None:
    seen: Counter[int] = Counter()
    for path in ended(told, "two by three").glob("seen-*.json"):
        seen.update(row for rows in json.loads(path.read_text()) for row in rows)
    # A process without a batch takes part with row 0, which weighs nothing; and one step more is
    # drawn to find the budget spent.
    usual = Counter(seen.values()).most_common(1)[0][0]
    assert usual == 3 and len(seen) == 40 and sum(n == 3 for n in seen.values()) > 20


@pytest.mark.parametrize("name", ["two then one", slow("one then two"), slow("one then three")])
def test_another_number_of_processes_goes_on_with_the_same_updates(told: Told, name: str) -> None:
    folder, (first, second) = told(name)
    assert set(first["codes"]) == {143} and set(second["codes"]) == {0}, (first, second)
    assert_same(ended(told, "one"), folder)


@pytest.mark.parametrize(
    ("name", "lost", "code"),
    [
        slow("second leaves", 1, 7),
        slow("first is killed", 0, -9),
        ("second hangs", 1, -9),
    ],
)
def test_a_lost_process_ends_all_and_the_run_goes_on(
    told: Told, name: str, lost: int, code: int
) -> None:
    folder, (first, second) = told(name)
    assert first["codes"][lost] == code and first["codes"][1 - lost] == 1
    assert f"regard: rank {1 - lost} of 2 lost another rank" in first["said"][1 - lost]
    assert "Traceback" not in first["said"][1 - lost]
    assert set(second["codes"]) == {0}, second
    assert_same(ended(told, "one"), folder)


@pytest.mark.parametrize("name", ["poisoned", "poisoned alone", slow("poisoned, sharded")])
def test_a_loss_that_is_not_finite_on_one_process_stops_all_before_the_step(
    told: Told, name: str
) -> None:
    folder, (outcome,) = told(name)
    assert set(outcome["codes"]) == {1}
    assert len(set(outcome["said"])) == 1, "every process says the same"
    said = outcome["said"][0]
    assert " in epoch 1: the loss is nan and the norm of its gradient nan; " in said
    if name == "poisoned, sharded":
        assert "it has the rows " in said and " 5" in said
    else:
        assert "it is not finite for row 5 of the training data alone" in said
    assert_same(told("poisoned alone")[0], folder)
    assert all(tensor.isfinite().all() for tensor in weights(folder).values())


def test_what_is_not_finite_is_passed_over_as_often_as_allowed(told: Told) -> None:
    folder, (first, second) = told("passed over")
    assert set(first["codes"]) == {1} and set(second["codes"]) == {0}, second
    found = newest(folder / CHECKPOINTS)
    assert found is not None and state_in(found).skips == 0
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    skipped = [line for line in lines if '"skipped_batch"' in line]
    assert len(skipped) >= 3 and all("row 5 " in line for line in skipped)
