"""The loop learns, keeps to its budget, weighs labels alike, and keeps the best model."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils import clip_grad_norm_

from regard.data.feeding import workers
from regard.run.loading import load_predictor
from regard.run.page import RunPage
from regard.training.config import TrainConfig
from regard.training.hooks import Evaluation, TrainerHooks
from regard.training.loop import Trainer
from regard.training.ranks import Ranks
from regard.training.signals import graceful
from regard.training.trainer_state import Progress
from regard.view.run_log import RunLog, read_run
from tests.tasks.small import TASKS, copying, labelling
from tests.training.tiny import Tiny


def trained(task: Any, folder: Path, stop: Callable[[], int | None] | None = None, **named: Any):
    folder.mkdir(parents=True, exist_ok=True)
    settings = TrainConfig(**{"warmup": 0.0, "learning_rate": 0.01} | named)
    hooks = TrainerHooks(
        stop_requested=stop or (lambda: None), on_evaluation=RunPage(task, folder).on_evaluation
    )
    trainer = Trainer(task, settings, folder, Ranks(), hooks=hooks)
    trainer.signal = trainer.train()
    return trainer


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: t.detach().clone() for name, t in trainer.model.state_dict().items()}


def valid_losses(run: RunLog) -> list[float | None]:
    return [value for _, value in run.points("valid", "loss")]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_learned_and_the_run_can_be_read(name: str, tmp_path: Path) -> None:
    task = TASKS[name](tmp_path / "data")
    trainer = trained(task, tmp_path / "run", steps=24, evaluate_every=8)
    run = read_run(tmp_path / "run")
    losses = valid_losses(run)
    assert len(losses) == 3 and losses[-1] < 0.9 * losses[0]
    assert trainer.signal is None and run.status() == "finished" and run.steps == 24
    assert run.damaged == 0 and run.digest is not None
    assert {"epoch", "seconds", task.metric} <= run.records[-2].keys() | run.records[0].keys()
    last = run.points("train", "learning_rate")[-1]
    assert last[0] == 24 and 0 <= last[1] < 0.001
    assert all(0 <= share < 1 for _, share in run.points("train", "padding"))
    assert [each["step"] for each in run.samples] == [8, 16, 24]
    assert len(run.samples[0]["samples"]) == len(task.fixed)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "<svg" in page and "</html>" in page
    predictor = load_predictor(tmp_path / "run" / "best")
    texts = [text for text, _ in task.fixed]
    shown = [sample["answer"] for sample in run.samples[-1]["samples"]]
    if trainer.state.best_step == 24:
        assert [a.answers[0][0] for a in predictor.predict(texts)] == shown


def test_a_budget_of_steps_is_kept_and_repeatable(tmp_path: Path) -> None:
    one, other = (trained(Tiny(), tmp_path / name, steps=20) for name in "ab")
    assert one.state.step == 20
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name])
    different = weights(trained(Tiny(), tmp_path / "c", steps=20, seed=1))
    assert any(not torch.equal(tensor, different[name]) for name, tensor in weights(one).items())


def test_a_budget_of_epochs_is_kept(tmp_path: Path) -> None:
    trainer = trained(Tiny(), tmp_path, epochs=2.0)
    steps = [trainer.feed.steps_in(epoch) for epoch in (0, 1)]
    assert trainer.state.step == sum(steps) and trainer.state.epoch == 2
    evaluated = [step for step, _ in read_run(tmp_path).points("valid", "loss")]
    assert evaluated == [steps[0], sum(steps)]


def test_workers_may_run_many_short_epochs_ahead(tmp_path: Path) -> None:
    class Short(Tiny):
        def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
            return [rng.permutation(len(lengths))]

    alone = trained(Short(), tmp_path / "alone", steps=7)
    (tmp_path / "ahead").mkdir()
    settings = alone.config
    ahead = Trainer(Short(), settings, tmp_path / "ahead", Ranks(), workers=2)
    assert ahead.train() is None
    assert_equal(weights(alone), weights(ahead))


def test_a_part_of_an_epoch_is_a_budget_and_is_evaluated(tmp_path: Path) -> None:
    trainer = trained(Tiny(), tmp_path, epochs=0.5)
    assert trainer.state.step == -(-trainer.feed.steps_in(0) // 2)
    assert trainer.state.evaluated_step == trainer.state.step


def test_a_budget_of_seconds_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=count(0.0, 0.5).__next__)
    monkeypatch.setattr("regard.training.loop.time", clock)
    trainer = trained(Tiny(), tmp_path, seconds=30.0)
    assert trainer.state.step > 1 and 30.0 <= trainer.state.seconds < 40.0


def test_the_budget_that_is_spent_first_ends_the_run(tmp_path: Path) -> None:
    assert trained(Tiny(), tmp_path, steps=3, seconds=100.0).state.step == 3


def test_evaluations_come_every_so_many_updates_and_at_the_end(tmp_path: Path) -> None:
    trained(Tiny(), tmp_path, steps=11, evaluate_every=4)
    assert [step for step, _ in read_run(tmp_path).points("valid", "loss")] == [4, 8, 11]


def test_the_learning_rate_is_the_schedules_and_is_written_down(tmp_path: Path) -> None:
    settings = {"steps": 6, "warmup": 3.0, "learning_rate": 0.5, "schedule": "inverse_sqrt"}
    trainer = trained(Tiny(), tmp_path, **settings)
    assert trainer.learning_rate == pytest.approx(0.5 * (3 / 6) ** 0.5)
    (_, rate), *_ = read_run(tmp_path).points("train", "learning_rate")[::-1]
    assert rate == trainer.learning_rate


def test_a_signal_ends_the_run_after_the_step_at_hand_and_the_model_is_there(
    tmp_path: Path,
) -> None:
    answers = iter([None, None])
    trainer = trained(Tiny(), tmp_path, lambda: next(answers, 15), steps=50)
    assert trainer.signal == 15 and trainer.state.step == 2
    assert (tmp_path / "best" / "model.safetensors").exists()
    assert read_run(tmp_path).status() == "interrupted"


def test_a_stop_before_the_first_step_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    trainer = trained(Tiny(), tmp_path, lambda: 2, steps=50)
    before = Tiny().predictor.model.state_dict()
    assert trainer.signal == 2 and trainer.state.step == 0
    for name, tensor in weights(trainer).items():
        assert torch.equal(tensor, before[name])


def test_a_second_ctrl_c_is_heard_while_the_processes_that_prepare_batches_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with graceful() as signals:
        end = workers._end

        def ended(*arguments: Any) -> None:
            end(*arguments)
            os.kill(os.getpid(), signal.SIGINT)

        def stop_requested() -> int | None:
            if signals.number is None:
                os.kill(os.getpid(), signal.SIGINT)
            return signals.number

        monkeypatch.setattr(workers, "_end", ended)
        task, settings = copying(tmp_path / "data"), TrainConfig(steps=50)
        (tmp_path / "run").mkdir()
        hooks = TrainerHooks(stop_requested=stop_requested)
        trainer = Trainer(task, settings, tmp_path / "run", Ranks(), workers=1, hooks=hooks)
        with pytest.raises(KeyboardInterrupt):
            trainer.train()


class Counting(Tiny):
    """Keeps count of the rows it was taught, as moving averages do."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.predictor.model.register_buffer("taught", torch.zeros(()))

    def loss(self, batch: Any) -> torch.Tensor:
        self.predictor.model.taught += self.predictor.model.training * len(batch.inputs)
        return super().loss(batch)


@pytest.mark.parametrize("skips", [0, 2])
def test_a_loss_that_is_not_finite_stops_before_anything_in_the_model_changes(
    tmp_path: Path, skips: int
) -> None:
    task = Counting(poison=range(40))
    before = {name: t.clone() for name, t in task.predictor.model.state_dict().items()}
    why = "training stopped at step 0, update .* in epoch 1: the loss is nan .* below 0.01"
    with pytest.raises(FloatingPointError, match=why):
        trained(task, tmp_path, steps=10, max_skips=skips)
    for name, tensor in task.predictor.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    events = [r["event"] for r in read_run(tmp_path).records if r["kind"] == "event"]
    assert events.count("skipped_batch") == skips + 1


class Weighed(Tiny):
    """One micro-batch or several with the very same rows, whose lengths differ widely."""

    def __init__(self, parts: int) -> None:
        super().__init__(dropout=0.0, dtype=torch.float64)
        self.parts = parts

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        order = rng.permutation(len(lengths))
        # Uneven on purpose: 1, 3 and the rest.
        return [
            part
            for rows in np.split(order, 4)
            for part in (np.split(rows, [1, 4]) if self.parts > 1 else [rows])
        ]


@pytest.mark.parametrize("clip", [1e9, 0.05])
def test_accumulating_is_one_large_batch(tmp_path: Path, clip: float) -> None:
    named = {"steps": 9, "clip": clip, "schedule": "constant"}
    one = weights(trained(Weighed(1), tmp_path / "one", **named))
    three = weights(trained(Weighed(3), tmp_path / "three", accumulate=3, **named))
    for name, tensor in one.items():
        torch.testing.assert_close(three[name], tensor, rtol=1e-10, atol=1e-12)
    losses = [valid_losses(read_run(tmp_path / name)) for name in ("one", "three")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_an_update_is_the_mean_over_labels_clipped(tmp_path: Path) -> None:
    task, named = Weighed(1), {"clip": 0.05, "schedule": "constant", "weight_decay": 0.0}
    wanted, other = Weighed(1).predictor.model, Weighed(1)
    (rows, *_) = other.plan(other.part(0).lengths, np.random.default_rng([0, 0]))
    other.predictor = type(other.predictor)(wanted)
    batch = other.part(0).batch(rows)
    (other.loss(batch) / batch.num_targets).backward()
    norm = clip_grad_norm_(wanted.parameters(), 0.05)
    torch.optim.AdamW(
        wanted.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-9, weight_decay=0.0
    ).step()
    trainer = trained(task, tmp_path, steps=1, **named)
    assert norm > 0.05 and trainer.gradient_norm == pytest.approx(norm.item())
    for name, tensor in wanted.state_dict().items():
        torch.testing.assert_close(weights(trainer)[name], tensor, rtol=1e-9, atol=1e-12)


def test_the_loss_that_is_reported_is_the_mean_over_labels(tmp_path: Path) -> None:
    reports: list[Progress] = []
    task = Weighed(1)
    task.predictor.model.eval()
    part = task.part(0)
    (rows, *_) = task.plan(part.lengths, np.random.default_rng([0, 0]))
    batch = part.batch(rows)
    wanted = task.loss(batch).item() / batch.num_targets
    settings = TrainConfig(steps=1)
    hooks = TrainerHooks(on_report=lambda progress, scores: reports.append(progress))
    Trainer(task, settings, tmp_path, Ranks(), hooks=hooks).train()
    assert [report.step for report in reports] == [1]
    assert reports[0].loss == pytest.approx(wanted)
    assert reports[0].padding == pytest.approx(1 - batch.num_tokens / batch.num_padded_tokens)
    assert reports[0].spent == 1


def test_a_step_whose_examples_have_no_label_is_left_out(tmp_path: Path) -> None:
    trainer = trained(Weighed(1), tmp_path / "all", epochs=1.0)
    bare = Weighed(1)
    (rows, *_) = bare.plan(bare.part(0).lengths, np.random.default_rng([0, 0]))
    bare.train = replace(bare.train, bare=set(rows.tolist()))
    skipped = trained(bare, tmp_path / "bare", epochs=1.0)
    assert trainer.state.step == 4 and skipped.state.step == 3
    assert skipped.state.unlabelled == 1
    assert all(tensor.isfinite().all() for tensor in weights(skipped).values())


class Behind(Ranks):
    """A process beside which another one has two micro-batches more in every step."""

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        # `Trainer._agree_on` adds up six numbers and one for each process.
        return torch.cat([tensor[:6], tensor[6:] + 2]) if tensor.numel() == 7 else tensor


def test_an_example_that_weighs_nothing_moves_nothing(tmp_path: Path) -> None:
    found = []
    for ranks in (Ranks(), Behind()):
        trainer = Trainer(
            Counting(), TrainConfig(epochs=1.0), tmp_path / type(ranks).__name__, ranks
        )
        trainer.folder.mkdir()
        trainer.train()
        found.append(weights(trainer))
    assert_equal(*found)
    assert found[0]["taught"] == 40


class Scripted(Tiny):
    """Its evaluations find what they are told to."""

    metric = "loss"

    def __init__(self, *losses: float) -> None:
        super().__init__(dropout=0.0)
        self.losses, self.seen = iter(losses), list[dict[str, torch.Tensor]]()

    def score(self, split: str, records: Any) -> dict[str, float]:
        self.seen.append({n: t.clone() for n, t in self.predictor.model.state_dict().items()})
        return {"loss": next(self.losses)}


def best(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "best" / "model.safetensors")


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_the_best_is_the_best_and_the_earliest_of_equals(tmp_path: Path) -> None:
    task = Scripted(3.0, 1.0, 1.0, 2.0)
    trainer = trained(task, tmp_path, steps=8, evaluate_every=2)
    assert (trainer.state.best, trainer.state.best_step) == (1.0, 4)
    assert_equal(best(tmp_path), task.seen[1])


def test_an_evaluation_that_finds_no_number_is_never_the_best(tmp_path: Path) -> None:
    task = Scripted(float("nan"), 2.0, float("nan"))
    trainer = trained(task, tmp_path, steps=6, evaluate_every=2)
    assert trainer.state.best == 2.0
    assert_equal(best(tmp_path), task.seen[1])


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    task = Scripted(3.0, 2.0, 2.5, 1.9, 2.0, 2.0, 1.0)
    trainer = trained(task, tmp_path, steps=100, evaluate_every=2, patience=2, patience_steps=4)
    assert trainer.state.step == 12 and trainer.state.best == 1.9
    run = read_run(tmp_path)
    assert run.status() == "finished"
    assert any(record.get("event") == "stopped" for record in run.records)


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    return [record for record in read_run(folder).records if record.get("event") == name]


def test_patience_waits_for_updates_too(tmp_path: Path) -> None:
    task = Scripted(3.0, *[4.0] * 20)
    given = {"steps": 100, "evaluate_every": 2, "patience": 2, "patience_steps": 21}
    trainer = trained(task, tmp_path, **given)
    # The first evaluation that is 21 updates or more behind that at step 2.
    assert trainer.state.step == 24 and trainer.state.finished
    assert events(tmp_path, "stopped")[0]["text"] == "no better loss in 11 evaluations, 22 updates"


def test_least_steps_repeat_epochs_of_little_data_and_evaluate_now_and_then(
    tmp_path: Path,
) -> None:
    task = Scripted(*(3.0 - n / 100 for n in range(100)))
    given = {"epochs": 1.0, "least_steps": 200, "evaluate_every": 0}
    trainer = trained(task, tmp_path, **given)
    per_epoch = trainer.feed.steps_in(0)
    assert per_epoch < 200 and trainer.state.step == 200
    steps = [int(step) for step, _ in read_run(tmp_path).points("valid", "loss")]
    between = [later - earlier for earlier, later in zip([0, *steps], steps, strict=False)]
    assert min(between[:-1]) >= 10 and all(step % per_epoch == 0 for step in steps[:-1])


def test_an_evaluation_tells_the_loss_since_the_one_before_and_what_is_odd(
    tmp_path: Path,
) -> None:
    class Odd(Scripted):
        def remarks(self, split: str, records: Any) -> list[str]:
            return [f"every answer to {split} is the same"]

    told: list[Evaluation] = []
    settings = TrainConfig(steps=6, evaluate_every=2)
    hooks = TrainerHooks(on_evaluation=told.append)
    Trainer(Odd(3.0, 2.0, 2.5), settings, tmp_path, Ranks(), hooks=hooks).train()
    assert [each.best for each in told] == [True, True, False]
    assert all(each.train_loss is not None and each.train_loss > 0 for each in told)
    assert len({each.train_loss for each in told}) == 3
    assert told[0].remarks == ["every answer to valid is the same"]
    assert [event["step"] for event in events(tmp_path, "remark_valid")] == [2, 4, 6]


@pytest.mark.parametrize(("found", "kept"), [(0.5, True), (9.0, False), (float("nan"), False)])
def test_the_mean_of_the_last_weights_is_kept_if_it_is_better(
    tmp_path: Path, found: float, kept: bool
) -> None:
    task = Scripted(4.0, 3.0, 2.0, 1.0, found)
    trainer = trained(task, tmp_path, steps=8, evaluate_every=2, average=3)
    last = task.seen[1:4]
    mean = {name: torch.stack([w[name] for w in last]).double().mean(0).float() for name in last[0]}
    for name, tensor in task.seen[4].items():
        torch.testing.assert_close(tensor, mean[name], rtol=0, atol=1e-7)
    assert_equal(best(tmp_path), task.seen[4] if kept else task.seen[3])
    assert trainer.state.best == (found if kept else 1.0)


def test_the_mean_is_over_as_many_weights_as_there_are(tmp_path: Path) -> None:
    task = Scripted(4.0, 3.0, 0.5)
    trained(task, tmp_path, steps=4, evaluate_every=2, average=9)
    for name, tensor in best(tmp_path).items():
        mean = (task.seen[0][name].double() + task.seen[1][name].double()) / 2
        torch.testing.assert_close(tensor, mean.float(), rtol=0, atol=1e-7)


def test_whole_numbers_are_no_weights_and_stay_what_they_are(tmp_path: Path) -> None:
    task = Scripted(*(10.0 - step for step in range(7)), 0.5)
    kinds = torch.arange(20)  # of which some are no longer themselves as a sum of sevenths
    task.predictor.model.register_buffer("kinds", kinds.clone())
    trained(task, tmp_path, steps=14, evaluate_every=2, average=7)
    assert torch.equal(best(tmp_path)["kinds"], kinds)


def test_without_validation_data_the_last_model_is_kept(tmp_path: Path) -> None:
    task = Tiny()
    task.valid.rows.clear()
    trainer = trained(task, tmp_path, steps=4, evaluate_every=2)
    assert_equal(best(tmp_path), weights(trainer))


def test_bfloat16_learns_as_well_and_keeps_its_weights_in_float32(tmp_path: Path) -> None:
    named = {"steps": 16, "evaluate_every": 8}
    plain = trained(copying(tmp_path / "a"), tmp_path / "plain", **named)
    half = trained(copying(tmp_path / "b"), tmp_path / "half", precision="bf16", **named)
    assert {tensor.dtype for tensor in weights(half).values()} == {torch.float32}
    (_, one), (_, other) = (valid_losses(read_run(tmp_path / n)) for n in ("plain", "half"))
    assert one == pytest.approx(other, abs=0.1) and one != other
    assert plain.state.step == half.state.step


def test_computing_activations_again_changes_nothing(tmp_path: Path) -> None:
    plain, again = (
        weights(trained(Tiny(), tmp_path / str(on), steps=6, recompute=on)) for on in (False, True)
    )
    assert_equal(plain, again)


def test_dropout_is_on_in_training_and_off_in_evaluations(tmp_path: Path) -> None:
    seen: dict[str, set[bool]] = {"loss": set(), "examine": set()}

    class Watched(Tiny):
        def loss(self, batch: Any) -> torch.Tensor:
            seen["loss" if torch.is_grad_enabled() else "examine"].add(
                self.predictor.model.training
            )
            return super().loss(batch)

    trained(Watched(), tmp_path, steps=6, evaluate_every=2)
    assert seen == {"loss": {True}, "examine": {False}}


def test_the_test_is_of_the_best_model_and_written_down(tmp_path: Path) -> None:
    task = labelling(tmp_path / "data")
    trainer = trained(task, tmp_path / "run", steps=12, evaluate_every=4)
    scores = trainer.test(beams=2)
    predictor = load_predictor(tmp_path / "run" / "best")
    rows = np.arange(task.size("test"))
    task.predictor = predictor
    assert scores == pytest.approx(task.score("test", task.examine("test", rows)))
    run = read_run(tmp_path / "run")
    assert run.points("test", "accuracy") == [(12.0, scores["accuracy"])]


def test_the_caller_hears_of_every_evaluation_once_the_best_model_is_written(
    tmp_path: Path,
) -> None:
    heard: list[tuple[str, int, float]] = []
    task = Scripted(3.0, 1.0, 2.0)

    def on_evaluation(evaluation: Evaluation) -> None:
        assert not task.predictor.model.training and evaluation.can_predict
        heard.append((evaluation.split, evaluation.step, evaluation.scores["loss"]))
        at = {3.0: 0, 1.0: 1, 2.0: 1}[evaluation.scores["loss"]]
        assert_equal(best(tmp_path), task.seen[at])

    hooks = TrainerHooks(on_evaluation=on_evaluation)
    trainer = Trainer(task, TrainConfig(steps=6, evaluate_every=2), tmp_path, Ranks(), hooks=hooks)
    trainer.train()
    assert heard == [("valid", 2, 3.0), ("valid", 4, 1.0), ("valid", 6, 2.0)]
    assert trainer.model.training
    assert {path.name for path in tmp_path.iterdir()} == {"best", "checkpoints", "metrics.jsonl"}


@pytest.mark.parametrize(("report_every", "count"), [(0.0, 5), (1e6, 1)])
def test_reports_come_as_often_as_wanted_and_at_the_end(
    tmp_path: Path, report_every: float, count: int
) -> None:
    steps: list[int] = []
    hooks = TrainerHooks(
        on_report=lambda progress, scores: steps.append(progress.step), report_every=report_every
    )
    Trainer(Tiny(), TrainConfig(steps=5), tmp_path, Ranks(), hooks=hooks).train()
    assert len(steps) == count and steps[-1] == 5


def test_metrics_are_lines_of_json_and_nothing_else(tmp_path: Path) -> None:
    trained(Scripted(float("inf"), 1.0), tmp_path, steps=2, evaluate_every=1)
    lines = (tmp_path / "metrics.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    kinds = [json.loads(line, parse_constant=refuse)["kind"] for line in lines]
    assert set(kinds) == {"train", "valid", "event"}
