"""The progress of a run, and what is reported about it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_RENAMED = {"looked": "evaluated_step", "worse": "evaluations_without_improvement"}
"""Field names in checkpoints of version 0.1 → their current names."""


@dataclass(kw_only=True)
class TrainerState:
    """What a checkpoint holds besides tensors and the position in the data.

    Args:
        step: updates made.
        epoch: passes through the data.
        seconds: of training, over all sessions.
        best: the best value of the task's metric so far.
        best_step: when that was.
        evaluated_step: the step of the latest evaluation.
        evaluations_without_improvement: since the best one.
        skips: consecutive updates skipped because loss or gradient was not finite.
        unlabelled: updates skipped because their examples had no target to learn from.
        finished: whether `patience` ended the run before its budget did.
    """

    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    evaluated_step: int = 0
    evaluations_without_improvement: int = 0
    skips: int = 0
    unlabelled: int = 0
    finished: bool = False

    @classmethod
    def from_entries(cls, entries: Mapping[str, Any]) -> "TrainerState":
        """Read it from a checkpoint, written by this version or by 0.1.

        Raises `ValueError` for names that neither knows, and for values of another type.

        >>> TrainerState.from_entries({"step": 7, "looked": 5}).evaluated_step
        5
        """
        if not isinstance(entries, Mapping):
            raise ValueError(f"the training state must be a table, got {ascii(entries)[:80]}")
        named = {_RENAMED.get(name, name): value for name, value in entries.items()}
        known = {field.name for field in fields(cls)}
        if unknown := sorted(named.keys() - known):
            raise ValueError(
                f"the checkpoint's training state has {', '.join(unknown)}, this version knows "
                f"{', '.join(sorted(known))}; resume with the version of regard that wrote it"
            )
        for field in fields(cls):
            if field.name in named and not _fits(named[field.name], field.type):
                raise ValueError(
                    f"the training state's {field.name} must be {_WORDS[field.type]}, got "
                    f"{ascii(named[field.name])[:80]}"
                )
        return cls(**named)


_WORDS: dict[Any, str] = {
    int: "a whole number of 0 or more",
    float: "a number of 0 or more",
    float | None: "a number or null",
    bool: "true or false",
}


def _fits(value: object, kind: Any) -> bool:
    """Whether a value that JSON gave is one of a field; neither takes true for 1."""
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind == float | None:
        return value is None or isinstance(value, (int, float)) and abs(value) < math.inf
    numbers = int if kind is int else (int, float)
    return isinstance(value, numbers) and 0 <= value < _MOST


_MOST = 2**53
"""Above, a count is not exact in every program, and none is reached."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run; loss, pace and padding are means since the last report.

    `unit` is the unit of the pace.
    """

    step: int
    epoch: float
    seconds: float
    spent: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    padding: float
    unit: str = "tokens"

    @property
    def seconds_left(self) -> float:
        """Time to the end at the pace so far."""
        return self.seconds * (1 - self.spent) / self.spent if self.spent else math.inf


@dataclass(frozen=True)
class UpdatePlan:
    """What all processes agree on before an update.

    The counts are sums over the processes, `rounds` is the largest number of micro-batches of any
    of them, and the budget spent is by the main process's clock.
    """

    num_targets: float
    num_tokens: float
    num_padded_tokens: float
    rounds: int
    stop: bool
    save: bool
    spent: float
