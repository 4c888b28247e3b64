"""The training loop: fetch, compute the loss, step, report, evaluate, save, until it is over."""

import json
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regard.data.feeding.feed import Feed, StepBatches
from regard.errors import RegardError
from regard.tasks.batch import Batch
from regard.tasks.task import Record, Task, better
from regard.training.checkpoint import Checkpoint
from regard.training.checkpoint_content import Content, UnusableCheckpoint, content_of
from regard.training.config import TrainConfig
from regard.training.evaluation import evaluating, scored, split_records
from regard.training.hooks import Evaluation, TrainerHooks
from regard.training.nonfinite_examples import nonfinite_examples
from regard.training.optimizers import optimizer_tensors, optimizers, restore_optimizers
from regard.training.parallel import (
    Objective,
    buffers_unchanged,
    distributed,
    recompute,
    restore_buffers,
    save_buffers,
    seed_micro_batch,
    synchronized,
)
from regard.training.ranks import Ranks
from regard.training.run_writer import RunWriter
from regard.training.sharding import gathered, is_sharded
from regard.training.trainer_state import Progress, TrainerState, UpdatePlan


class Trainer:
    """Trains a task until the budget is spent, with periodic evaluation on validation data.

    One update: take this process's micro-batches of the step, sum their losses and divide by the
    number of targets of all processes, so that every target has the same weight; skip the update
    if loss or gradient is not finite; step. Only the main process writes.

    Args:
        task: what is learned.
        config: budget, learning rate and optimizer.
        folder: the existing folder of the run.
        ranks: the processes that train together.
        shard: shard the weights over them (FSDP2) instead of replicating them (DDP).
        workers: data-loading processes per rank; 0 is none.
        hooks: the caller's callbacks.
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        folder: Path,
        ranks: Ranks,
        *,
        shard: bool = False,
        workers: int = 0,
        hooks: TrainerHooks = TrainerHooks(),
    ) -> None:
        self.task, self.config, self.folder, self.ranks = task, config, folder, ranks
        self.hooks = hooks
        self.model = task.predictor.model.to(ranks.device)
        self.objective = distributed(Objective(task), ranks, shard)
        recompute(self.model, config.recompute)
        self.loss: Callable[[Any], Tensor] = self.objective
        if config.compile:
            self.loss = torch.compile(self.objective, dynamic=True)
        self.optimizers = optimizers(self.model, config)
        self.streams, self.workers = getattr(task, "stream", None) is not None, workers
        self.feed = self._feed(max(config.accumulate, ranks.world))
        self.state = TrainerState()
        self.skipped_without_target = 0
        self.learning_rate = self.gradient_norm = self.began = 0.0
        self.sums, self.learned = np.zeros(4), np.zeros(2)
        self.place = self.feed.state()
        self.scores: dict[str, float] = {}
        self.writer = RunWriter(task.predictor, folder, ranks)
        self.averaged: list[int] = []

    def resume(self, found: Checkpoint) -> None:
        """Resume from a checkpoint, with as many micro-batches per update as it had.

        So the number of processes that resume does not matter: the order of the examples and what
        is summed in an update remain the same.

        Raises `UnusableCheckpoint` for one of another network or that is not understood, in which
        case nothing has changed; `ValueError` if the data or the processes differ.
        """
        content = content_of(found)
        place = self._own_place(found, content)
        self.writer.require_own(found)
        self.writer.load(self.writer.weights_in(found))
        restore_optimizers(self.model, self.optimizers, self.writer.optimizer_in(found))
        self.state = content.state
        # Who resumes may have set a longer patience, or none.
        self.state.finished = self.state.finished and self._patience_is_spent()
        if not self.writer.has_best():
            # Who removed it, because it was damaged, is given what there is.
            self.state.best, self.state.best_step = None, 0
        self.feed = self._feed(content.accumulate or self.accumulate)
        self.place = place
        self.feed.restore(self.place)
        if self.config.average > 1:
            self.averaged = self.writer.evaluated_steps(self.state.step)[-self.config.average :]
        if self.ranks.is_main:
            self.writer.journal.rewind(self.state.step)
        self._event("resumed", f"from step {self.state.step}")

    def train(self) -> int | None:
        """Train until the budget is spent; returns the signal that ended it earlier, or None."""
        if self.ranks.is_main and self.state.step == 0:
            self.writer.journal.rewind(0)
        self.model.train()
        self.began = time.monotonic() - self.state.seconds
        self.saved = self.reported = time.monotonic()
        with self.writer.saver, self.ranks.raising_lost_rank():
            self._updates()
            return self._end()

    def _updates(self) -> None:
        """Make updates until the budget or the patience is spent, or a signal came."""
        # Closed here and not whenever it is collected: there a second Ctrl-C would be swallowed.
        with closing(iter(self.feed)) as steps:
            while not self.state.finished:
                step = self._next(steps)
                plan = self._agree_on(step)
                if plan.spent >= 1 or plan.stop:
                    break
                self._update(step, plan)
                self.place = self.feed.state()
                self.state.epoch = step.epoch + (step.index + 1) / step.steps_in_epoch
                self._report()
                if self._is_time_to_evaluate(step):
                    self._evaluate_and_save()
                elif plan.save:
                    self.save()

    def _next(self, steps: Generator[StepBatches, None, None]) -> StepBatches:
        """What the feed gives next; a worker that is lost is said in one sentence."""
        try:
            step = next(steps)
        except RuntimeError as error:
            raise RegardError(str(error)) from error
        if step.index == 0:
            self.hooks.check()
        return step

    def _evaluate_and_save(self) -> None:
        """Evaluate, and find out whether the patience is spent."""
        self.evaluate()
        state = self.state
        state.finished = self._patience_is_spent()
        self.save()
        if state.finished:
            evaluations = f"{state.evaluations_without_improvement} evaluations"
            updates = f"{state.step - state.best_step} updates"
            self._event("stopped", f"no better {self.task.metric} in {evaluations}, {updates}")

    def _patience_is_spent(self) -> bool:
        state = self.state
        return self.config.patience_is_spent(
            evaluations=state.evaluations_without_improvement,
            updates=state.step - state.best_step,
        )

    def evaluate(self) -> None:
        """Evaluate on the validation data, and keep the model if it is the best so far."""
        state = self.state
        self.hooks.check()
        self.scores, records = self._scores("valid")
        state.evaluated_step, state.seconds = state.step, time.monotonic() - self.began
        if self.config.average > 1:
            steps = (step for step in self.averaged if step != state.step)
            self.averaged = [*steps, state.step][-self.config.average :]
        self.writer.scores("valid", state, self.scores)
        value = self.scores.get(self.task.metric)
        is_best = value is None or better(self.task.metric, value, state.best)
        if is_best:
            state.best, state.best_step = value, state.step
            state.evaluations_without_improvement = 0
            self.writer.keep_best()
        else:
            state.evaluations_without_improvement += 1
        self._tell("valid", self.scores, records, is_best)

    def test(self, beams: int) -> dict[str, float]:
        """The metrics of the best model on the test data; empty if there is none."""
        self.writer.load_best()
        scores, records = self._scores("test", beams)
        self.writer.scores("test", self.state, scores)
        self._tell("test", scores, records)
        return scores

    def _scores(self, split: str, beams: int = 1) -> tuple[dict[str, float], list[Record]]:
        """The metrics of a split, and the records of its examples that they are of."""
        records = split_records(self.task, self.objective, self.ranks, split, beams)
        return scored(self.task, split, records), records

    def _tell(
        self,
        split: str,
        scores: Mapping[str, float],
        records: Sequence[Record],
        is_best: bool = False,
    ) -> None:
        """Hand an evaluation to the caller's hook, on the main process; the others wait."""
        remarks = self.task.remarks(split, records) if records else []
        for remark in remarks:
            self._event(f"remark_{split}", remark)
        if self.ranks.is_main:
            (loss, targets), state = self.learned.tolist(), self.state
            told = Evaluation(
                split,
                state.step,
                state.epoch,
                scores,
                can_predict=not is_sharded(self.objective),
                best=is_best,
                train_loss=loss / targets if targets and split == "valid" else None,
                records=records,
                remarks=remarks,
            )
            with evaluating(self.model):
                self.hooks.on_evaluation(told)
        self.learned = np.zeros(2)
        self.ranks.broadcast()

    def save(self) -> None:
        """Write a checkpoint of all that a later session needs to resume from here."""
        self.state.seconds = time.monotonic() - self.began
        place: Any = self.place
        if self.streams:
            place = [json.loads(each) for each in self.ranks.gather(json.dumps(self.place))]
        more = {"place": place, "world": self.ranks.world, "accumulate": self.accumulate}
        self.writer.save(
            self.state, optimizer_tensors(self.model, self.optimizers), more, self.averaged
        )
        self.saved = time.monotonic()

    def _own_place(self, found: Checkpoint, content: Content) -> dict[str, Any]:
        """This process's place in the data; that in a stream is of one process among so many."""
        place, world = content.place, content.world
        if isinstance(place, list) is not self.streams or self.streams and len(place) != world:
            raise UnusableCheckpoint(f"{found.path} stands in other data than this run has")
        if isinstance(place, dict):
            return place
        if world != self.ranks.world:
            raise ValueError(
                f"{world} processes shared the stream out until now, {self.ranks.world} "
                f"cannot resume it; start {world} again (--devices {world})"
            )
        return place[self.ranks.rank]

    def _event(self, event: str, text: str) -> None:
        self.writer.event(self.state, event, text)

    def _feed(self, accumulate: int) -> Feed:
        """The steps of this process; `accumulate` is over all of them."""
        ranks, self.accumulate = self.ranks, accumulate
        # Of a stream each process has a share of its own, and all the batches of that.
        rank, world = (0, 1) if self.streams else (ranks.rank, ranks.world)
        return Feed(
            self.task.part,
            self.task.plan,
            seed=self.config.seed,
            accumulate=-(-accumulate // ranks.world) if self.streams else accumulate,
            rank=rank,
            world=world,
            workers=self.workers,
            # Half as long as the others wait, so that what is said is what went wrong here.
            timeout=ranks.timeout_s / min(2, ranks.world),
        )

    def _agree_on(self, step: StepBatches) -> UpdatePlan:
        """Agree with the other processes on the sums of this step and on whether to make it."""
        batches: list[Batch] = step.batches
        is_main = float(self.ranks.is_main)
        due = time.monotonic() - self.saved >= 60 * self.config.save_every_minutes
        numbers = [
            float(sum(batch.num_targets for batch in batches)),
            float(sum(batch.num_tokens for batch in batches)),
            float(sum(batch.num_padded_tokens for batch in batches)),
            float(self.hooks.stop_requested() is not None),
            is_main * due,
            is_main * self._spent(),
            *(float(len(batches)) * (rank == self.ranks.rank) for rank in range(self.ranks.world)),
        ]
        targets, tokens, padded, stop, save, spent, *counts = self.ranks.sum(
            torch.tensor(numbers, dtype=torch.float64)
        ).tolist()
        return UpdatePlan(targets, tokens, padded, int(max(counts)), stop > 0, save > 0, spent)

    def _update(self, step: StepBatches, plan: UpdatePlan) -> None:
        """Make one update, or leave it out."""
        rate = self.config.learning_rate_at(self.state.step + 1, plan.spent)
        if not plan.num_targets:
            self._skip_without_target(step)
            return
        self.skipped_without_target = 0
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        buffers = save_buffers(self.model)
        losses = self._gradients(step, plan)
        norm = gathered(nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip))
        loss, size = float(self.ranks.sum(losses.sum()).item()), float(norm.item())
        if not (math.isfinite(loss) and math.isfinite(size)):
            self._skip_nonfinite(step, losses, (loss, size, rate), buffers)
            return
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.state.step, self.state.skips = self.state.step + 1, 0
        self.learning_rate, self.gradient_norm = rate, size
        self.sums += [loss, plan.num_targets, plan.num_tokens, plan.num_padded_tokens]
        self.learned += [loss, plan.num_targets]

    def _gradients(self, step: StepBatches, plan: UpdatePlan) -> Tensor:
        """The gradient of the step's mean loss; returns the loss of each of its micro-batches."""
        losses = torch.zeros(len(step.batches), dtype=torch.float64)
        device = self.ranks.device
        for number in range(plan.rounds):
            seed_micro_batch(
                self.config.seed,
                step.epoch,
                step.index,
                self.ranks.rank + number * self.ranks.world,
            )
            with (
                synchronized(self.objective, number == plan.rounds - 1),
                buffers_unchanged(self.model, number >= len(step.batches)),
                torch.autocast(
                    device.type, torch.bfloat16, enabled=self.config.precision == "bf16"
                ),
            ):
                if number < len(step.batches):
                    loss = self.loss(step.batches[number].to(device))
                    losses[number] = loss.detach()
                else:
                    # Processes compute together: one that has no more takes part all the same,
                    # with an example that weighs nothing.
                    spare = step.batches or [self.task.part(step.epoch).batch(np.array([0]))]
                    loss = 0.0 * self.loss(spare[0].to(device))
                # DDP and FSDP divide the summed gradients by the number of processes.
                (loss * (self.ranks.world / plan.num_targets)).backward()
        return losses

    def _skip_without_target(self, step: StepBatches) -> None:
        """Leave an update out that has nothing to learn from; stop when a whole epoch had not."""
        self.state.unlabelled += 1
        self.skipped_without_target += 1
        self._event("skipped_batch", f"{_name(step)} has no label to learn from")
        if self.skipped_without_target >= step.steps_in_epoch:
            raise RegardError(
                f"training stopped at step {self.state.step}: the last "
                f"{self.skipped_without_target} updates, a whole epoch, had no label to learn "
                "from; look at the column that is to be learned"
            )

    def _skip_nonfinite(
        self,
        step: StepBatches,
        losses: Tensor,
        numbers: tuple[float, float, float],
        buffers: list[tuple[Tensor, Tensor]],
    ) -> None:
        """Leave an update out that is not finite, or stop; nothing in the model has moved."""
        (loss, norm, rate), state = numbers, self.state
        rows = "they are of a stream"
        if not self.streams:
            rows = nonfinite_examples(
                self.task, self.ranks, self.config, step, self.accumulate, losses
            )
        restore_buffers(buffers)
        text = f"{_name(step)}: the loss is {loss} and the norm of its gradient {norm}; {rows}"
        self._event("skipped_batch", text)
        if state.skips >= self.config.max_skips:
            self.save()
            more = f"max_skips={state.skips + 3}"
            raise FloatingPointError(
                f"training stopped at step {state.step}, {text}; the weights of the step before "
                f"are saved; try a learning rate below {rate:g} in a new run, or resume with "
                f"{more}, which skips it (regard train --resume {self.folder} --set {more})"
            )
        state.skips += 1

    def _spent(self) -> float:
        state = self.state
        return self.config.spent(
            epochs=state.epoch, steps=state.step, seconds=time.monotonic() - self.began
        )

    def _is_time_to_evaluate(self, step: StepBatches) -> bool:
        if self.config.evaluate_every:
            due = self.state.step % self.config.evaluate_every == 0
            # An update that was left out is no reason to evaluate again.
            return due and self.state.step > self.state.evaluated_step
        # Where epochs of little data are repeated, not each of them is worth an evaluation.
        apart = self.state.step - self.state.evaluated_step >= self.config.least_steps // 20
        return apart and step.index + 1 == step.steps_in_epoch

    def _report(self, last: bool = False) -> None:
        """Say how it goes, now and then, and at the end."""
        spent, now, state = self._spent(), time.monotonic(), self.state
        loss, targets, tokens, padded_tokens = self.sums.tolist()
        due = last or now - self.reported >= self.hooks.report_every or spent >= 1
        if not targets or not due:
            return
        progress = Progress(
            step=state.step,
            epoch=state.epoch,
            seconds=now - self.began,
            spent=spent,
            loss=loss / targets,
            learning_rate=self.learning_rate,
            gradient_norm=self.gradient_norm,
            tokens_per_second=tokens / max(now - self.reported, 1e-9),
            padding=1 - tokens / padded_tokens,
            unit=self.task.unit,
        )
        self.sums, self.reported = np.zeros(4), now
        self.writer.progress(progress)
        self.hooks.on_report(progress, self.scores)

    def _end(self) -> int | None:
        """Evaluate and save once more; average if that is wanted."""
        state = self.state
        self._report(last=True)
        # What each process sees for itself may differ: a signal on its way, a disk not yet written.
        requests = self.ranks.gather(str(self.hooks.stop_requested() or ""))
        signal = next((int(text) for text in requests if text), None)
        kept = self.writer.has_best()
        if signal is None and (state.step > state.evaluated_step or not kept):
            self.evaluate()
        elif not kept:
            self.writer.keep_best()
        self.save()
        self.writer.saver.wait()
        if signal is None and self.config.average > 1:
            self._average()
        self._event("interrupted" if signal else "finished", f"at step {state.step}")
        return signal

    def _average(self) -> None:
        """Try the mean of the weights of the last evaluations, and keep it if it is better."""
        count = self.writer.load_mean(self.averaged)
        scores, records = self._scores("valid")
        value = scores.get(self.task.metric)
        self._event("averaged", f"{count} checkpoints: {self.task.metric} {value}")
        if value is not None and better(self.task.metric, value, self.state.best):
            self.state.best, self.scores = value, scores
            self.writer.scores("valid", self.state, scores)
            self.writer.keep_best()
            self._tell("valid", scores, records, True)


def _name(step: StepBatches) -> str:
    return f"update {step.index + 1} of {step.steps_in_epoch} in epoch {step.epoch + 1}"
