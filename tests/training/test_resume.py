"""A run that is stopped anywhere and resumed is the run that was never stopped, bit for bit."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.run.page import RunPage
from regard.tasks.recommend.predictor import Recommender
from regard.training.checkpoint import Checkpoint, newest, save_checkpoint
from regard.training.checkpoint_content import state_in
from regard.training.config import TrainConfig
from regard.training.hooks import TrainerHooks
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, CHECKPOINTS
from regard.training.run_writer import RunWriter
from regard.training.trainer_state import TrainerState
from tests.tables.models import ROWS
from tests.training.marks import slow
from tests.training.tiny import Tiny, config


class Stopped:
    """Asks to stop once this many updates are made."""

    def __init__(self, after: int) -> None:
        self.after, self.trainer = after, None

    def __call__(self) -> int | None:
        trainer: Any = self.trainer
        return 15 if trainer is not None and trainer.state.step >= self.after else None


def session(
    folder: Path, settings: TrainConfig, stop: int | None = None, workers: int = 0
) -> tuple[Trainer, Tiny, int | None]:
    """One process's part of a run: go on from the newest checkpoint, until told to stop."""
    folder.mkdir(exist_ok=True)
    task = Tiny()
    stopped = Stopped(10**9 if stop is None else stop)
    page = RunPage(task, folder)
    hooks = TrainerHooks(stop_requested=stopped, on_evaluation=page.on_evaluation)
    trainer = Trainer(task, settings, folder, Ranks(), workers=workers, hooks=hooks)
    stopped.trainer = trainer
    found = newest(folder / CHECKPOINTS)
    if found is not None:
        trainer.resume(found)
    return trainer, task, trainer.train()


def result(folder: Path) -> dict[str, Any]:
    """All that a run leaves behind and that must not depend on where it was stopped."""
    found = newest(folder / CHECKPOINTS)
    assert found is not None
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    state = {key: value for key, value in found.state["state"].items() if key != "seconds"}
    return {
        "model": (found.path / "model.safetensors").read_bytes(),
        "optimizer": (found.path / "optimizer.safetensors").read_bytes(),
        "best": (folder / BEST / "model.safetensors").read_bytes(),
        "state": state,
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
    assert signal is None and whole.state.step > 8
    seen = []
    for stop in (0, 1, 3, 4, whole.state.step - 1, None):
        trainer, part, signal = session(tmp_path / "parts", settings, stop)
        assert signal == (None if stop is None else 15)
        # A session draws one step more than it makes, to find that it is to stop.
        seen.append(trainer.state.step)
    assert seen == [0, 1, 3, 4, whole.state.step - 1, whole.state.step]
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def as_in_0_1(folder: Path) -> None:
    """Rewrite the newest checkpoint as version 0.1 wrote it, the only one there."""
    found = newest(folder)
    assert found is not None
    state = dict(found.state)
    course = state.pop("state")
    course["looked"] = course.pop("evaluated_step")
    course["worse"] = course.pop("evaluations_without_improvement")
    tensors = {group: found.read(group) for group in found.groups}
    shutil.rmtree(folder)
    save_checkpoint(folder, found.step, tensors, {"course": course, **state})


def test_a_checkpoint_of_version_0_1_is_resumed(tmp_path: Path) -> None:
    settings = config(evaluate_every=4, patience=3)
    session(tmp_path / "whole", settings)
    session(tmp_path / "parts", settings, stop=7)
    as_in_0_1(tmp_path / "parts" / CHECKPOINTS)
    trainer, _, _ = session(tmp_path / "parts", settings)
    assert trainer.state.step > 8
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_a_checkpoint_whose_state_is_not_understood_is_refused(tmp_path: Path) -> None:
    found = Checkpoint(tmp_path, 3, {"state": {"step": 3, "mood": 1}}, ())
    with pytest.raises(ValueError, match="training state has mood, this version knows best, "):
        state_in(found)
    with pytest.raises(ValueError, match="has no training state"):
        state_in(Checkpoint(tmp_path, 3, {"place": {}}, ()))
    assert state_in(Checkpoint(tmp_path, 3, {"state": {"step": 3}}, ())) == TrainerState(step=3)


def test_what_version_0_1_did_not_save_is_what_the_data_says(tmp_path: Path) -> None:
    row = next(row for row in ROWS.values() if row.name == "din" and row.config.feature_columns)
    model = row.made()
    named = {**model.state_dict()}
    features = named.pop("embedding.features")
    save_checkpoint(tmp_path / CHECKPOINTS, 3, {"model": named, "optimizer": {}}, {})
    writer = RunWriter(Recommender(model, None), tmp_path, Ranks())
    found = newest(tmp_path / CHECKPOINTS)
    assert found is not None
    writer.load(writer.weights_in(found))
    assert torch.equal(model.state_dict()["embedding.features"], features)


class Clock:
    """A clock of which ten minutes pass at some readings, drawn by a seed, and none at others."""

    def __init__(self, seed: int) -> None:
        self.now, self.draw = 0.0, random.Random(seed)

    def monotonic(self) -> float:
        self.now += 0.001 + 700.0 * (self.draw.random() < 0.1)
        return self.now


def averaged(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["text"] for line in lines if line.get("event") == "averaged"]


@pytest.mark.parametrize("seed", [0, 1, *(slow(seed) for seed in range(2, 12))])
def test_what_is_averaged_depends_on_steps_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    settings = config(average=3, evaluate_every=4, epochs=4.0, schedule="constant")
    whole, _, _ = session(tmp_path / "whole", settings)
    draw, stops = random.Random(seed), list[int | None]([])
    stops += [0, *sorted(draw.sample(range(1, whole.state.step + 1), 4)), whole.state.step, None]
    monkeypatch.setattr("regard.training.loop.time", Clock(seed))
    for stop in stops:
        session(tmp_path / "parts", settings, stop)
    assert averaged(tmp_path / "whole") == averaged(tmp_path / "parts")
    assert averaged(tmp_path / "whole")[0].startswith("3 checkpoints: loss ")
    one, other = (result(tmp_path / name) for name in ("whole", "parts"))
    for part in ("model", "optimizer", "best", "place", "valid"):
        assert one[part] == other[part], part


def test_what_is_averaged_is_kept_among_what_the_clock_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard.training.loop.time", Clock(3))
    settings = config(average=3, evaluate_every=10, save_every_minutes=1e-9)
    trainer, _, _ = session(tmp_path / "run", settings)
    assert trainer.averaged == [20, 30, trainer.state.step] and trainer.state.step % 10
    kept = sorted(path.name for path in (tmp_path / "run" / CHECKPOINTS).iterdir())
    assert {f"step-{step:09d}" for step in trainer.averaged} <= {*kept} and len(kept) <= 4
