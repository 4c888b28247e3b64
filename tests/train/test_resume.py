"""A run that is stopped anywhere and resumed is the run that was never stopped, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard.train.checkpoint import newest
from regard.train.config import TrainConfig
from regard.train.loop import Trainer
from regard.train.ranks import Ranks
from regard.train.run_folder import BEST, CHECKPOINTS
from tests.train.tiny import Tiny, config


class Stopped:
    """Asks to stop once this many updates are made."""

    def __init__(self, after: int) -> None:
        self.after, self.trainer = after, None

    def __call__(self) -> int | None:
        trainer: Any = self.trainer
        return 15 if trainer is not None and trainer.course.step >= self.after else None


def session(
    folder: Path, settings: TrainConfig, stop: int | None = None, workers: int = 0
) -> tuple[Trainer, Tiny, int | None]:
    """One process's part of a run: go on from the newest checkpoint, until told to stop."""
    folder.mkdir(exist_ok=True)
    task = Tiny()
    asked = Stopped(10**9 if stop is None else stop)
    trainer = Trainer(task, settings, folder, Ranks(), workers=workers, asked=asked)
    asked.trainer = trainer
    found = newest(folder / CHECKPOINTS)
    if found is not None:
        trainer.resume(found)
    return trainer, task, trainer.train()


def result(folder: Path) -> dict[str, Any]:
    """All that a run leaves behind and that must not depend on where it was stopped."""
    found = newest(folder / CHECKPOINTS)
    assert found is not None
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    course = {key: value for key, value in found.state["course"].items() if key != "seconds"}
    return {
        "model": (found.path / "model.safetensors").read_bytes(),
        "optimizer": (found.path / "optimizer.safetensors").read_bytes(),
        "best": (folder / BEST / "model.safetensors").read_bytes(),
        "course": course,
        "place": found.state["place"],
        "valid": [
            {key: value for key, value in line.items() if key != "seconds"}
            for line in lines
            if line["kind"] == "valid"
        ],
        "samples": (folder / "samples.jsonl").read_text(),
    }


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"accumulate": 3, "average": 3},
        pytest.param({"optimizer": "muon", "weight_decay": 0.1}, marks=pytest.mark.slow),
        {"precision": "bf16", "schedule": "inverse_sqrt", "warmup": 5.0},
        {"recompute": True, "evaluate_every": 0, "patience": 2},
    ],
    ids=lambda named: ",".join(named) or "plain",
)
def test_a_run_stopped_at_many_places_is_the_run_in_one_go(
    tmp_path: Path, named: dict[str, Any]
) -> None:
    settings = config(**named)
    whole, task, signal = session(tmp_path / "whole", settings)
    assert signal is None and whole.course.step > 8
    seen = []
    for stop in (0, 1, 3, 4, whole.course.step - 1, None):
        trainer, part, signal = session(tmp_path / "parts", settings, stop)
        assert signal == (None if stop is None else 15)
        # A session draws one step more than it makes, to find that it is to stop.
        seen.append(trainer.course.step)
    assert seen == [0, 1, 3, 4, whole.course.step - 1, whole.course.step]
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
