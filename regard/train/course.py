"""How far a run has come, and what is said about it while it lasts."""

import math
from dataclasses import dataclass


@dataclass(kw_only=True)
class Course:
    """What a checkpoint holds beside tensors and the place in the data.

    Args:
        step: updates made.
        epoch: passes through the data.
        seconds: of training, all sessions together.
        best: the best value of the task's metric so far.
        best_step: when that was.
        looked: the step of the latest look at the validation data.
        worse: looks since the best.
        skips: updates left out in a row, because loss or gradient was not finite.
        unlabelled: updates left out because their examples had no label to learn from.
        finished: did the looks end the run, before its budget did?
    """

    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    looked: int = 0
    worse: int = 0
    skips: int = 0
    unlabelled: int = 0
    finished: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a run stands; loss, pace and padding are means since the last report."""

    step: int
    epoch: float
    seconds: float
    spent: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    padding: float

    @property
    def seconds_left(self) -> float:
        """Time to the end at the pace so far."""
        return self.seconds * (1 - self.spent) / self.spent if self.spent else math.inf


@dataclass(frozen=True)
class Shared:
    """What all processes agree on before an update.

    Labels, tokens and cells are sums over them, `rounds` is the most micro-batches that one of them
    has, and what is spent is by the first one's clock.
    """

    labels: float
    tokens: float
    cells: float
    rounds: int
    stop: bool
    save: bool
    spent: float
