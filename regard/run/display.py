"""Progress on the screen: a bar in a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from regard.training.hooks import Evaluation
from regard.training.trainer_state import Progress


class Screen(Console):
    """A console that tolerates a broken pipe (`| head`): the work continues silently."""

    def on_broken_pipe(self) -> None:
        """Discard further output, where Rich would end the program."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Display:
    """Shows the progress of a run.

    Args:
        console: the console to print to.
        every: seconds between lines without a terminal.
    """

    def __init__(self, console: Console, every: float = 5.0) -> None:
        self.console, self.every = console, every
        self.shown = -every
        self.evaluated_step = -1
        self.last: tuple[Progress, Mapping[str, float]] | None = None
        columns = [BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")]
        self.bar = Bar(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> "Display":
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
        if self.last is not None:
            self._write(*self.last)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Print the line of a validation above the bar, permanently."""
        if evaluation.split != "valid":
            return
        self.last, self.evaluated_step = None, evaluation.step
        self.console.print(evaluation_line(evaluation), highlight=False, soft_wrap=True)

    def show(self, progress: Progress, scores: Mapping[str, float]) -> None:
        """Show a report, with the metrics of the latest evaluation."""
        self.last = progress, scores
        line = progress_line(progress, scores)
        self.bar.update(self.task, completed=progress.spent, description=line)
        if time.monotonic() - self.shown >= self.every or progress.spent == 1:
            self._write(progress, scores)

    def _write(self, progress: Progress, scores: Mapping[str, float]) -> None:
        """Write a report as a line where there is no terminal."""
        self.last = None
        # Of a step that was evaluated all is said.
        if not self.console.is_terminal and progress.step != self.evaluated_step:
            self.shown = time.monotonic()
            line = f"step {progress.step}  {progress_line(progress, scores)}"
            self.console.print(line, highlight=False, soft_wrap=True)


def evaluation_line(evaluation: Evaluation) -> str:
    """An evaluation in one line, and what is odd about the answers.

    >>> scores = {"loss": 0.06, "exact": 0.975}
    >>> evaluation_line(Evaluation("valid", 40, 1.25, scores, True, best=True, train_loss=0.0512))
    'step 40  epoch 1.25  loss 0.0512  valid: loss 0.06, exact 0.975  best so far'
    """
    shown = [f"step {evaluation.step}", f"epoch {evaluation.epoch:.4g}"]
    if evaluation.train_loss is not None:
        shown.append(f"loss {evaluation.train_loss:.4f}")
    shown.append(f"{evaluation.split}: {metrics_line(evaluation.scores) or 'no data'}")
    if evaluation.best:
        shown.append("best so far")
    return "  ".join([*shown, *(f"({remark})" for remark in evaluation.remarks)])


def progress_line(progress: Progress, scores: Mapping[str, float]) -> str:
    """A report in one line.

    >>> progress = Progress(40, 1.2, 30.0, 0.25, 0.0512, 0.003, 0.9, 31416.0, 0.04)
    >>> progress_line(progress, {"loss": 0.06, "exact": 0.975})
    'loss 0.0512  valid: loss 0.06, exact 0.975  31,416 tokens/s  1:30 left'
    """
    left = "?"
    if progress.spent:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        left = f"{minutes}:{seconds:02}"
    shown = f"valid: {metrics_line(scores)}  " if scores else ""
    pace = f"{progress.tokens_per_second:,.0f} {progress.unit}/s"
    return f"loss {progress.loss:.4f}  {shown}{pace}  {left} left"


def metrics_line(scores: Mapping[str, float]) -> str:
    """Metrics in one line, four digits of each.

    >>> metrics_line({"loss": 1.23456, "bleu": 37.0123})
    'loss 1.235, bleu 37.01'
    """
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
