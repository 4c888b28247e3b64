"""Progress on the screen: a bar where there is a terminal, plain lines where there is none."""

import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from regard.training.trainer_state import Progress


class Screen(Console):
    """A console whose reader may leave (`| head`): the work goes on, and nobody is told of it."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from here on, where Rich would end the program."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Display:
    """Shows reports of a run while it lasts.

    Args:
        console: where to.
        every: seconds between the lines that are written where there is no terminal.
    """

    def __init__(self, console: Console, every: float = 5.0) -> None:
        self.console, self.every = console, every
        self.shown = -every
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

    def show(self, progress: Progress, scores: Mapping[str, float]) -> None:
        """Show a report, with the metrics of the latest evaluation."""
        line = progress_line(progress, scores)
        self.bar.update(self.task, completed=progress.spent, description=line)
        due = time.monotonic() - self.shown >= self.every or progress.spent == 1
        if due and not self.console.is_terminal:
            self.shown = time.monotonic()
            self.console.print(f"step {progress.step}  {line}", highlight=False, soft_wrap=True)


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
    pace = f"{progress.tokens_per_second:,.0f} tokens/s"
    return f"loss {progress.loss:.4f}  {shown}{pace}  {left} left"


def metrics_line(scores: Mapping[str, float]) -> str:
    """Metrics in one line, four digits of each.

    >>> metrics_line({"loss": 1.23456, "bleu": 37.0123})
    'loss 1.235, bleu 37.01'
    """
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
