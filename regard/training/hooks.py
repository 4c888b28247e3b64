"""The callbacks of a training run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from regard.tasks.task import Record
from regard.training.trainer_state import Progress


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a split, computed just now.

    Args:
        split: `valid` or `test`.
        step: updates made.
        epoch: passes through the data.
        scores: the metrics; empty where there is no such split.
        can_predict: whether the task's predictor can be used: not if its weights are sharded.
        records: the record of each example, as returned by the task's `ask`.
        best: whether they are the best so far.
        train_loss: the mean training loss since the previous evaluation; None if nothing was
            learned.
        remarks: what the task finds odd about the answers, one sentence each.
    """

    split: str
    step: int
    epoch: float
    scores: Mapping[str, float]
    can_predict: bool
    records: Sequence[Record] = ()
    best: bool = False
    train_loss: float | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TrainerHooks:
    """Callbacks of a `Trainer`; everything that displays a run is in them.

    Args:
        stop_requested: the signal that requested a stop, or None; asked before every update.
        check: called before every epoch and every evaluation; raises if the data has changed.
        on_report: called by every process with its progress and the latest metrics.
        report_every: seconds between reports.
        on_evaluation: called by the main process after every evaluation, once the log and the best
            model are written; the model is in evaluation mode, and the others wait.

    >>> TrainerHooks(report_every=0.5).stop_requested() is None
    True
    """

    stop_requested: Callable[[], int | None] = lambda: None
    check: Callable[[], None] = lambda: None
    on_report: Callable[[Progress, Mapping[str, float]], None] = lambda progress, scores: None
    report_every: float = 1.0
    on_evaluation: Callable[[Evaluation], None] = lambda evaluation: None
