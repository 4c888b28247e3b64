"""Progress on the screen: a bar where there is a terminal, plain lines where there is none."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from regard.train.loop import Progress


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

    def show(self, progress: Progress, exact: float | None = None) -> None:
        """Show a report, with the share of exact answers if it is known."""
        line = describe(progress, exact)
        self.bar.update(self.task, completed=progress.spent, description=line)
        due = time.monotonic() - self.shown >= self.every or progress.spent == 1
        if due and not self.console.is_terminal:
            self.shown = time.monotonic()
            self.console.print(f"step {progress.step}  {line}", highlight=False, soft_wrap=True)


def describe(progress: Progress, exact: float | None = None) -> str:
    """A report in one line.

    >>> describe(Progress(40, 30.0, 0.25, 0.0512, 0.003, 31416.0), exact=0.975)
    'loss 0.0512  exact 97.5 %  31,416 tokens/s  1:30 left'
    """
    left = "?"
    if progress.spent:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        left = f"{minutes}:{seconds:02}"
    shown = "" if exact is None else f"exact {exact:.1%}  ".replace("%", " %")
    pace = f"{progress.tokens_per_second:,.0f} tokens/s"
    return f"loss {progress.loss:.4f}  {shown}{pace}  {left} left"
