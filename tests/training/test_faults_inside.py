"""What needs no process of its own: clocks, memory, data without labels, runs that are done."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.errors import RegardError
from regard.run.settings import OwnSettings
from regard.run.training import within_memory
from regard.training.checkpoint import newest
from regard.training.hooks import TrainerHooks
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.run_folder import BEST, CHECKPOINTS
from tests.training.test_resume import result, session
from tests.training.tiny import Tiny, config


def lines(folder: Path, event: str) -> list[dict[str, Any]]:
    found = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in found if line.get("event") == event]


def test_clocks_that_are_set_back_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(evaluate_every=2)
    session(tmp_path / "straight", settings)
    now = iter(range(10**9, 0, -86_400))
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: float(next(now)))
        session(tmp_path / "run", settings, stop=7)
    paths = sorted((tmp_path / "run" / CHECKPOINTS).glob("step-*"))
    assert len(paths) >= 2
    for age, path in enumerate(paths):
        os.utime(path, (2**33 - age * 10**9,) * 2)
    found = newest(tmp_path / "run" / CHECKPOINTS)
    assert found is not None and found.step == 7
    session(tmp_path / "run", settings)
    assert result(tmp_path / "run") == result(tmp_path / "straight")


def test_recomputed_activations_give_the_same_run(tmp_path: Path) -> None:
    for recompute in (False, True):
        session(tmp_path / str(recompute), config(recompute=recompute))
    assert result(tmp_path / "True") == result(tmp_path / "False")


def test_workers_give_the_same_run_and_a_resumed_one_sees_the_same_examples(
    tmp_path: Path,
) -> None:
    settings = config(accumulate=3)
    _, straight, _ = session(tmp_path / "straight", settings)
    seen: list[list[int]] = []
    for stop in (2, 5, None):
        trainer, part, _ = session(tmp_path / "parts", settings, stop)
        drawn = part.train.seen
        # The last step that a session draws is the one it finds it must not make.
        last = trainer.feed._mine(*_place(trainer))
        seen += drawn[: len(drawn) - len(last)]
    last = len(seen)
    assert seen == straight.train.seen[:last] and last >= 14
    session(tmp_path / "workers", settings, workers=2)
    assert result(tmp_path / "workers") == result(tmp_path / "straight")


def _place(trainer: Trainer) -> tuple[int, int]:
    return trainer.place["epoch"], trainer.place["index"]


def test_memory_that_runs_out_is_said_in_one_sentence_and_the_checkpoints_stay(
    tmp_path: Path,
) -> None:
    class Greedy(Tiny):
        def loss(self, batch: Any) -> Tensor:
            if self.predictor.model.training and trainer.state.step == 5:
                torch.empty(10**15)
            return super().loss(batch)

    tmp_path.joinpath("run").mkdir()
    trainer = Trainer(Greedy(), config(evaluate_every=2), tmp_path / "run", Ranks())
    settings = OwnSettings(trainer.task, config())
    with (
        pytest.raises(RegardError, match=r"memory ran out; lower task.batch_tokens \(now 16\)"),
        within_memory(settings, tmp_path / "run"),
    ):
        trainer.train()
    found = newest(tmp_path / "run" / CHECKPOINTS)
    assert found is not None and found.step == 4 and not found.skipped
    for error in (torch.OutOfMemoryError("CUDA out of memory"), MemoryError()):
        with pytest.raises(RegardError, match="memory ran out"), within_memory(settings, tmp_path):
            raise error
    with pytest.raises(RuntimeError, match="^shapes$"), within_memory(settings, tmp_path):
        raise RuntimeError("shapes")


def test_updates_without_a_label_are_counted_and_an_epoch_of_them_ends_the_run(
    tmp_path: Path,
) -> None:
    tmp_path.joinpath("run").mkdir()
    task = Tiny(bare=range(40))
    before = {name: tensor.clone() for name, tensor in task.predictor.model.state_dict().items()}
    trainer = Trainer(task, config(steps=10**6, epochs=None), tmp_path / "run", Ranks())
    with pytest.raises(RegardError, match="a whole epoch, had no label to learn from"):
        trainer.train()
    assert trainer.state.step == 0 and trainer.state.unlabelled == trainer.feed.steps_in(0)
    for name, tensor in task.predictor.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert len(lines(tmp_path / "run", "skipped_batch")) == trainer.state.unlabelled


def test_some_updates_without_a_label_are_left_out(tmp_path: Path) -> None:
    tmp_path.joinpath("run").mkdir()
    trainer = Trainer(Tiny(bare=range(20)), config(), tmp_path / "run", Ranks())
    assert trainer.train() is None
    made = 3 * trainer.feed.steps_in(0)
    assert trainer.state.step + trainer.state.unlabelled == made and trainer.state.step > 0


def test_a_run_that_is_done_stays_as_it_is(tmp_path: Path) -> None:
    settings = config(
        patience=1, patience_steps=0, learning_rate=3.0, evaluate_every=2, epochs=50.0
    )
    first, _, _ = session(tmp_path / "run", settings)
    assert first.state.finished and first.state.epoch < 50
    before = result(tmp_path / "run")
    again, _, signal = session(tmp_path / "run", settings)
    assert signal is None and again.state.step == first.state.step
    assert result(tmp_path / "run") == before


def test_a_run_killed_while_it_averages_averages_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(average=3, evaluate_every=3)
    session(tmp_path / "straight", settings)

    def killed(self: Trainer) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "_average", killed)
        session(tmp_path / "run", settings)
    session(tmp_path / "run", settings)
    assert lines(tmp_path / "run", "averaged")
    best = [tmp_path / name / BEST / "model.safetensors" for name in ("run", "straight")]
    assert best[0].read_bytes() == best[1].read_bytes()


def test_a_line_cut_off_before_the_first_checkpoint_harms_no_later_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text('{"kind": "train", "st')
    session(tmp_path / "run", config())
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        json.loads(line)


def test_data_is_checked_before_every_epoch_and_every_evaluation(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    calls = []
    hooks = TrainerHooks(check=lambda: calls.append(trainer.state.step))
    trainer = Trainer(Tiny(), config(evaluate_every=4), tmp_path / "run", Ranks(), hooks=hooks)
    trainer.train()
    steps = trainer.feed.steps_in(0)
    assert {0, 4, 8, steps} <= set(calls)
