"""What a run leaves behind: its logs, its page, the best model, and checkpoints to go on from."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from regard._io.files import write_whole
from regard.models.weights import shared_names
from regard.tasks.task import Task, as_sample
from regard.train.checkpoint import Checkpoint, verified
from regard.train.course import Course, Progress
from regard.train.examination import at_rest
from regard.train.optimizers import like, whole
from regard.train.ranks import Ranks
from regard.train.run_folder import BEST, CHECKPOINTS, Journal, replace_folder, writing
from regard.train.saver import Saver
from regard.view.report import read_run, report


class Keeper:
    """Writes to a run's folder; the first process does, the others give what they have of weights.

    Args:
        task: whose predictor is kept.
        folder: of the run, which exists.
        ranks: the processes that train together.
        checkpoints: how many stay, 2 or more.
    """

    def __init__(self, task: Task, folder: Path, ranks: Ranks, checkpoints: int) -> None:
        self.task, self.folder, self.ranks = task, folder, ranks
        self.model = task.predictor.model
        self.journal = Journal(folder if ranks.speaks else None)
        self.saver = Saver(folder / CHECKPOINTS, keep=checkpoints)

    def has_best(self) -> bool:
        """Is there a best model? The same answer for all processes."""
        return bool(self.ranks.told("yes" if (self.folder / BEST).exists() else ""))

    def keep_best(self) -> None:
        """Write the model as `best/`."""
        weights = self.weights()
        if self.ranks.speaks:
            with writing(self.folder / BEST) as best:
                replace_folder(best, lambda new: self.task.predictor.save(new, weights))
        self.ranks.told()

    def load_best(self) -> None:
        """Take over the weights of `best/`."""
        weights = load_file(self.folder / BEST / "model.safetensors")
        for name, first in shared_names(self.model).items():
            weights[name] = weights[first]
        self.load(weights)

    def save(
        self, course: Course, optimizer: Mapping[str, Tensor], state: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint beside the training; `state` is what is not a tensor."""
        tensors = {"model": self.weights(), "optimizer": optimizer}
        if self.ranks.speaks:
            done = self.saver.wait()
            self.saver.save(course.step, tensors, {"course": asdict(course), **state})
            if done is not None:
                text = f"{done.path.name}: {done.bytes:,} bytes in {done.seconds:.3f} s"
                self.event(course, "saved", f"{text}, training paused for {self.saver.pause:.3f} s")
        self.ranks.told()

    def load_mean(self, last: int) -> int:
        """Take over the mean of the last checkpoints' weights; returns how many there were."""
        self.ranks.told()
        own = self.weights()
        found: list[Checkpoint] = verified(self.saver.folder)[-last:]
        mean = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in own.items()}
        for each in found:
            for name, tensor in each.read("model").items():
                mean[name] += tensor.double() / len(found)
        self.load({name: tensor.to(own[name].dtype) for name, tensor in mean.items()})
        return len(found)

    def weights(self) -> dict[str, Tensor]:
        """All weights, whole, on the CPU; every process must ask."""
        return {name: whole(tensor) for name, tensor in self.model.state_dict().items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over these weights, whole ones, wherever and however the model's are kept."""
        own = self.model.state_dict()
        self.model.load_state_dict(
            {name: like(t, own[name]) for name, t in weights.items() if name in own}
        )

    def event(self, course: Course, event: str, text: str) -> None:
        """Write down that something happened."""
        self.journal.log("event", step=course.step, event=event, text=text)

    def scores(self, kind: str, course: Course, scores: Mapping[str, float]) -> None:
        """Write down the metrics of a split."""
        if scores:
            about = {"step": course.step, "epoch": course.epoch, "seconds": course.seconds}
            self.journal.log(kind, **about, **scores)

    def progress(self, progress: Progress) -> None:
        """Write down how training goes."""
        self.journal.log("train", **asdict(progress))

    def show_samples(self, course: Course) -> None:
        """Write down the answers to the fixed examples, and where the model looked."""
        texts = [text for text, _ in self.task.fixed]
        with at_rest(self.model):
            answers = self.task.predictor.predict(texts) if texts else []
        pairs = zip(answers, self.task.fixed, strict=True)
        samples = [as_sample(answer, wanted) for answer, (_, wanted) in pairs]
        self.journal.show(course.step, course.epoch, samples)

    def draw(self) -> None:
        """Draw the page of the run as it is now."""
        if self.ranks.speaks:
            with writing(self.folder / "report.html") as path:
                write_whole(path, report(read_run(self.folder)).encode())
