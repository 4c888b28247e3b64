"""The training loop: draw, compute the loss, step, report, look, save, until all is spent."""

import json
import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from regard.data.feeding.feed import Feed, Step
from regard.errors import RegardError
from regard.tasks.task import Batch, Task, better
from regard.train.checkpoint import Checkpoint
from regard.train.config import TrainConfig
from regard.train.course import Course, Progress, Shared
from regard.train.examination import examine
from regard.train.keeper import Keeper
from regard.train.offenders import offenders
from regard.train.optimizers import optimizer_tensors, optimizers, restore_optimizers
from regard.train.parallel import (
    Objective,
    counted,
    distributed,
    fork,
    is_sharded,
    put_back,
    recompute,
    synchronized,
    unmoved,
)
from regard.train.ranks import Ranks

REPORT_EVERY = 1.0
"""Seconds between reports."""


class Trainer:
    """Trains a task until the budget is spent, looking at its validation data now and then.

    One update: take this process's micro-batches of the step, sum their losses and divide by the
    labels of all processes, so that every label weighs the same; refuse what is not finite before
    a weight moves; step. The first process alone writes.

    Args:
        task: what is learned.
        config: how long, how fast and by which rule.
        folder: of the run, which exists.
        ranks: the processes that train together.
        shard: spread the weights over them (FSDP2) instead of copying them (DDP).
        workers: processes of each rank that prepare batches; 0 is none.
        asked: the signal that asked to stop, or None.
        check: called before every epoch and every look; raises when the data is not what it was.
        show: called with every report and with the latest metrics.
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
        asked: Callable[[], int | None] = lambda: None,
        check: Callable[[], None] = lambda: None,
        show: Callable[[Progress, Mapping[str, float]], None] = lambda progress, scores: None,
    ) -> None:
        self.task, self.config, self.folder, self.ranks = task, config, folder, ranks
        self.asked, self.check, self.show = asked, check, show
        self.model = task.predictor.model.to(ranks.device)
        self.objective = distributed(Objective(task), ranks, shard)
        recompute(self.model, config.recompute)
        self.loss: Callable[[Any], Tensor] = self.objective
        if config.compile:
            self.loss = torch.compile(self.objective, dynamic=True)
        self.optimizers = optimizers(self.model, config)
        self.streams, self.workers = getattr(task, "stream", None) is not None, workers
        self.feed = self._feed(max(config.accumulate, ranks.world))
        self.course = Course()
        self.bare = 0
        self.rate = self.norm = self.began = 0.0
        self.sums = np.zeros(4)
        self.place = self.feed.state()
        self.scores: dict[str, float] = {}
        self.keeper = Keeper(task, folder, ranks, checkpoints=max(2, config.average))

    def resume(self, found: Checkpoint) -> None:
        """Go on from a checkpoint, with as many micro-batches to an update as it had.

        So it does not matter how many processes go on: the order of the examples and what is summed
        up in an update stay the same. Raises `ValueError` when it belongs to another run.
        """
        self.keeper.load(found.read("model"))
        restore_optimizers(self.model, self.optimizers, found.read("optimizer"))
        self.course = Course(**found.state["course"])
        self.feed = self._feed(found.state.get("accumulate", self.accumulate))
        self.place = self._own_place(found.state)
        self.feed.restore(self.place)
        if self.ranks.speaks:
            self.keeper.journal.rewind(self.course.step)
        self._event("resumed", f"from step {self.course.step}")

    def train(self) -> int | None:
        """Train to the end of the budget; returns the signal that ended it earlier, or None."""
        if self.ranks.speaks and self.course.step == 0:
            self.keeper.journal.rewind(0)
        self.model.train()
        self.began = time.monotonic() - self.course.seconds
        self.saved = self.reported = time.monotonic()
        with self.keeper.saver, self.ranks.together():
            self._updates()
            return self._end()

    def _updates(self) -> None:
        """Make updates until the budget is spent, the looks say enough, or a signal came."""
        # Closed here and not whenever it is collected: there a second Ctrl-C would be swallowed.
        with closing(iter(self.feed)) as steps:
            while not self.course.finished:
                step = self._next(steps)
                shared = self._share(step)
                if shared.spent >= 1 or shared.stop:
                    break
                self._update(step, shared)
                self.place = self.feed.state()
                self.course.epoch = step.epoch + (step.index + 1) / step.steps_in_epoch
                self._report()
                if self._is_time_to_look(step):
                    self._look_and_save()
                elif shared.save:
                    self.save()

    def _next(self, steps: Generator[Step, None, None]) -> Step:
        """What the feed gives next; a worker that is lost is said in one sentence."""
        try:
            step = next(steps)
        except RuntimeError as error:
            raise RegardError(str(error)) from error
        if step.index == 0:
            self.check()
        return step

    def _look_and_save(self) -> None:
        """Look, and find out whether that was often enough no better."""
        self.look()
        self.course.finished = 0 < self.config.patience <= self.course.worse
        self.save()
        if self.course.finished:
            looks = f"{self.course.worse} looks"
            self._event("stopped", f"no better {self.task.metric} in {looks}")

    def look(self) -> None:
        """Examine the validation data, keep the best model, show the fixed examples."""
        course = self.course
        self.check()
        self.scores = examine(self.task, self.objective, self.ranks, "valid")
        course.looked, course.seconds = course.step, time.monotonic() - self.began
        self.keeper.scores("valid", course, self.scores)
        value = self.scores.get(self.task.metric)
        if value is None or better(self.task.metric, value, course.best):
            course.best, course.best_step, course.worse = value, course.step, 0
            self.keeper.keep_best()
        else:
            course.worse += 1
        if self.ranks.speaks and not is_sharded(self.objective):
            self.keeper.show_samples(course)
        self.keeper.draw()

    def test(self, beams: int) -> dict[str, float]:
        """The metrics of the best model on the test data; empty where there is none."""
        self.keeper.load_best()
        scores = examine(self.task, self.objective, self.ranks, "test", beams)
        self.keeper.scores("test", self.course, scores)
        self.keeper.draw()
        return scores

    def save(self) -> None:
        """Write a checkpoint of all that a later session needs to go on as if it were now."""
        self.course.seconds = time.monotonic() - self.began
        place: Any = self.place
        if self.streams:
            place = [json.loads(each) for each in self.ranks.gather(json.dumps(self.place))]
        state = {"place": place, "world": self.ranks.world, "accumulate": self.accumulate}
        self.keeper.save(self.course, optimizer_tensors(self.model, self.optimizers), state)
        self.saved = time.monotonic()

    def _own_place(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """This process's place in the data; that in a stream is of one process among so many."""
        if not self.streams:
            return state["place"]
        if state["world"] != self.ranks.world:
            raise ValueError(
                f"{state['world']} processes shared the stream out until now, {self.ranks.world} "
                f"cannot go on with it; give --devices {state['world']}"
            )
        return state["place"][self.ranks.rank]

    def _event(self, event: str, text: str) -> None:
        self.keeper.event(self.course, event, text)

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

    def _share(self, step: Step) -> Shared:
        """Agree with the other processes on the sums of this step and on whether to make it."""
        batches: list[Batch] = step.batches
        first = float(self.ranks.speaks)
        due = time.monotonic() - self.saved >= 60 * self.config.save_every_minutes
        numbers = [
            float(sum(batch.labels for batch in batches)),
            float(sum(batch.tokens for batch in batches)),
            float(sum(batch.cells for batch in batches)),
            float(self.asked() is not None),
            first * due,
            first * self._spent(),
            *(float(len(batches)) * (rank == self.ranks.rank) for rank in range(self.ranks.world)),
        ]
        labels, tokens, cells, stop, save, spent, *counts = self.ranks.sum(
            torch.tensor(numbers, dtype=torch.float64)
        ).tolist()
        return Shared(labels, tokens, cells, int(max(counts)), stop > 0, save > 0, spent)

    def _update(self, step: Step, shared: Shared) -> None:
        """Make one update, or leave it out."""
        rate = self.config.learning_rate_at(self.course.step + 1, shared.spent)
        if not shared.labels:
            self._pass_over(step)
            return
        self.bare = 0
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        kept = counted(self.model)
        losses = self._gradients(step, shared)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        loss, size = float(self.ranks.sum(losses.sum()).item()), float(norm.item())
        if not (math.isfinite(loss) and math.isfinite(size)):
            self._refuse(step, losses, (loss, size, rate), kept)
            return
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.course.step, self.course.skips = self.course.step + 1, 0
        self.rate, self.norm = rate, size
        self.sums += [loss, shared.labels, shared.tokens, shared.cells]

    def _gradients(self, step: Step, shared: Shared) -> Tensor:
        """The gradient of the step's mean loss; returns the loss of each of its micro-batches."""
        losses = torch.zeros(len(step.batches), dtype=torch.float64)
        device = self.ranks.device
        for number in range(shared.rounds):
            fork(
                self.config.seed,
                step.epoch,
                step.index,
                self.ranks.rank + number * self.ranks.world,
            )
            with (
                synchronized(self.objective, number == shared.rounds - 1),
                unmoved(self.model, number >= len(step.batches)),
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
                (loss * (self.ranks.world / shared.labels)).backward()
        return losses

    def _pass_over(self, step: Step) -> None:
        """Leave an update out that has nothing to learn from; stop when a whole epoch had not."""
        self.course.unlabelled, self.bare = self.course.unlabelled + 1, self.bare + 1
        self._event("skipped_batch", f"{_name(step)} has no label to learn from")
        if self.bare >= step.steps_in_epoch:
            raise RegardError(
                f"training stopped at step {self.course.step}: the last {self.bare} updates, a "
                "whole epoch, had no label to learn from; look at the column that is to be learned"
            )

    def _refuse(
        self,
        step: Step,
        losses: Tensor,
        numbers: tuple[float, float, float],
        kept: list[tuple[Tensor, Tensor]],
    ) -> None:
        """Leave an update out that is not finite, or stop; nothing in the model has moved."""
        (loss, norm, rate), course = numbers, self.course
        rows = "they are of a stream"
        if not self.streams:
            rows = offenders(self.task, self.ranks, self.config, step, self.accumulate, losses)
        put_back(kept)
        text = f"{_name(step)}: the loss is {loss} and the norm of its gradient {norm}; {rows}"
        self._event("skipped_batch", text)
        if course.skips >= self.config.max_skips:
            self.save()
            raise FloatingPointError(
                f"training stopped at step {course.step}, {text}; the weights of the step before "
                f"are saved; try a learning rate below {rate:g} in a new run, or pass over it: "
                f"regard train --resume {self.folder} --set max_skips={course.skips + 3}"
            )
        course.skips += 1

    def _spent(self) -> float:
        course = self.course
        return self.config.spent(
            epochs=course.epoch, steps=course.step, seconds=time.monotonic() - self.began
        )

    def _is_time_to_look(self, step: Step) -> bool:
        if self.config.evaluate_every:
            due = self.course.step % self.config.evaluate_every == 0
            # An update that was left out is no reason to look again.
            return due and self.course.step > self.course.looked
        return step.index + 1 == step.steps_in_epoch

    def _report(self) -> None:
        """Say how it goes, now and then, and when the budget is spent."""
        spent, now, course = self._spent(), time.monotonic(), self.course
        loss, labels, tokens, cells = self.sums.tolist()
        if not labels or (now - self.reported < REPORT_EVERY and spent < 1):
            return
        progress = Progress(
            step=course.step,
            epoch=course.epoch,
            seconds=now - self.began,
            spent=spent,
            loss=loss / labels,
            learning_rate=self.rate,
            gradient_norm=self.norm,
            tokens_per_second=tokens / (now - self.reported),
            padding=1 - tokens / cells,
        )
        self.sums, self.reported = np.zeros(4), now
        self.keeper.progress(progress)
        self.show(progress, self.scores)

    def _end(self) -> int | None:
        """Look and save once more; average if that was asked for."""
        course = self.course
        # What each process sees for itself may differ: a signal on its way, a disk not yet written.
        asked = self.ranks.gather(str(self.asked() or ""))
        signal = next((int(text) for text in asked if text), None)
        kept = self.keeper.has_best()
        if signal is None and (course.step > course.looked or not kept):
            self.look()
        elif not kept:
            self.keeper.keep_best()
        self.save()
        self.keeper.saver.wait()
        if signal is None and self.config.average > 1:
            self._average()
        self._event("interrupted" if signal else "finished", f"at step {course.step}")
        return signal

    def _average(self) -> None:
        """Try the mean of the last checkpoints' weights, and keep it if it is better."""
        count = self.keeper.load_mean(self.config.average)
        scores = examine(self.task, self.objective, self.ranks, "valid")
        value = scores.get(self.task.metric)
        self._event("averaged", f"{count} checkpoints: {self.task.metric} {value}")
        if value is not None and better(self.task.metric, value, self.course.best):
            self.course.best, self.scores = value, scores
            self.keeper.scores("valid", self.course, scores)
            self.keeper.keep_best()


def _name(step: Step) -> str:
    return f"update {step.index + 1} of {step.steps_in_epoch} in epoch {step.epoch + 1}"
