"""What is reported about a run: its budget, what it does not read, why it ended, what is next."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regard.run.display import metrics_line
from regard.run.settings import BUDGETS
from regard.tasks.task import Task
from regard.training.config import TrainConfig
from regard.training.trainer_state import TrainerState

SHORT = 80
"""Maximum characters of an input shown in a command."""


def budget_of(train: TrainConfig) -> str:
    """The budget itself: `60 steps`, `6 epochs and 150 steps at least`, `1 minute`.

    >>> budget_of(TrainConfig(epochs=6.0, least_steps=150)), budget_of(TrainConfig(seconds=60.0))
    ('6 epochs and at least 150 steps', '1 minute')
    """
    said = []
    if train.epochs is not None:
        least = f" and at least {train.least_steps:,} steps" if train.least_steps else ""
        said.append(_counted(train.epochs, "epoch") + least)
    if train.steps is not None:
        said.append(_counted(train.steps, "step"))
    if train.seconds is not None:
        whole = train.seconds >= 60
        said.append(_counted(train.seconds / 60, "minute") if whole else f"{train.seconds:g} s")
    return " or ".join(said)


def budget_for(task: Task, train: TrainConfig, accumulate: int) -> str:
    """The budget, and its equivalent in the other unit for this data.

    Args:
        accumulate: micro-batches per update.
    """
    said = [budget_of(train)]
    if task.stream is None:
        part = task.part(0)
        count = len(part.lengths)
        batches = len(task.plan(part.lengths, np.random.default_rng(0)))
        updates = -(-batches // accumulate)
        about = []
        size = f"an epoch is {_counted(count, 'example')}"
        if train.epochs is not None:
            steps = max(round(train.epochs * updates), train.least_steps)
            about.append(f"about {_counted(steps, 'step')}")
        elif train.steps is not None:
            about.append(f"about {_counted(train.steps / updates, 'epoch')}")
        said.append(f" ({', '.join([*about, size])})")
    if train.seconds is not None:
        said.append(
            "; the clock covers training and its evaluations, and not reading the data before, nor "
            "the last evaluation and the test after"
        )
    return "".join(said)


def too_long_for(task: Task) -> list[str]:
    """What of a task's data is truncated or dropped as too long; nothing if it generates data."""
    return too_long(getattr(getattr(task, "data", None), "examples", {}), task.settings)


def too_long(examples: Mapping[str, Any], settings: Any) -> list[str]:
    """What of the data is truncated or dropped as too long, a sentence for each split."""
    found = []
    for split, some in examples.items():
        cut, dropped = getattr(some, "cut", 0), getattr(some, "dropped", 0)
        longest = getattr(settings, "longest", None)
        what = "pairs" if len(getattr(some, "columns", ())) > 1 else "texts"
        part = {"train": "training", "valid": "validation"}.get(split, split)
        more = f"more than {longest:,} tokens" if longest else "too many tokens"
        if cut:
            found.append(
                f"{cut:,} of {len(some):,} {part} {what} have {more} and are cut there; "
                "--set longest=N reads more"
            )
        if dropped:
            found.append(
                f"{dropped:,} of {len(some) + dropped:,} {part} {what} have {more} and are left "
                "out; --set longest=N keeps them"
            )
    return found


def best_of(history: Sequence[dict[str, Any]], state: TrainerState) -> list[str]:
    """The best validation scores with their step, and what was odd about the answers."""
    lines = [e for e in history if e["kind"] == "valid" and e["step"] == state.best_step]
    if not lines or state.best is None:
        return ["There was no score on validation data."]
    named = {k: v for k, v in lines[-1].items() if k not in ("kind", "step", "epoch", "seconds")}
    scores = {name: value for name, value in named.items() if isinstance(value, (int, float))}
    remarks = [
        e["text"].rstrip(".")
        for e in history
        if e.get("event") == "remark_valid" and e["step"] == state.best_step
    ]
    return [
        f"Best on validation data: {metrics_line(scores)}, at step {state.best_step:,} of "
        f"{state.step:,}.",
        *(f"On validation data, {remark}." for remark in dict.fromkeys(remarks)),
    ]


def why_ended(state: TrainerState, train: TrainConfig, metric: str) -> str:
    """Why a run ended, if not by a signal."""
    if not state.finished:
        off = (
            ""
            if train.patience
            else "; patience is off (--set patience=N ends a run that gets no better)"
        )
        return f"It ended because its budget of {budget_of(train)} is spent{off}."
    return (
        f"It ended because {metric} was not better in "
        f"{_counted(state.evaluations_without_improvement, 'evaluation')} and "
        f"{_counted(state.step - state.best_step, 'step')} (patience {train.patience}), before its "
        f"budget of {budget_of(train)} was spent; --set patience=0 trains to its end."
    )


def longer(folder: Path, train: TrainConfig, state: TrainerState, by_patience: bool) -> str:
    """The commands that continue training."""
    run = shlex.quote(str(folder))
    name = next(name for name in BUDGETS if getattr(train, name) is not None)
    done = {"epochs": state.epoch, "steps": state.step, "seconds": state.seconds}[name]
    value = max(getattr(train, name), done)
    if name == "seconds":
        name, value = "minutes", value / 60
    more = f"--{name} N (more than {value:.4g})"
    if by_patience:
        more = f"{more}, or --set patience=0"
    return (
        f"To train it longer: regard train --resume {run} {more}. To begin a new run with its "
        f"weights: regard train --from {run} --data PATH."
    )


def ask_it(folder: Path, question: str) -> str:
    """The command that queries the network."""
    return f"Ask it: regard predict {shlex.quote(str(folder))} {question}"


def question_for(task: Task) -> str:
    """An input of the task, as it is typed."""
    given = [each for each, _ in getattr(task, "fixed", ())]
    texts = [
        each[:SHORT] if isinstance(each, str) else task.predictor.typed(each) for each in given
    ]
    inputs = filter(None, map(quoted, texts))
    return min(inputs, key=lambda each: (len(each) > SHORT) * len(each), default="'a text'")


def quoted(text: str) -> str | None:
    r"""A text quoted as one shell word; None for one that cannot be typed.

    >>> print(quoted("it's late"), quoted("one"), quoted("one\tother"))
    "it's late" one $'one\tother'
    """
    if not text.strip() or text.startswith("-"):
        return None
    if text.isprintable():
        plain = not any(sign in text for sign in '"$`\\!')
        return f'"{text}"' if plain and shlex.quote(text) != text else shlex.quote(text)
    escaped = {"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n"}
    shown = "".join(escaped.get(sign, sign) for sign in text)
    return f"$'{shown}'" if shown.isprintable() else None


def _counted(count: float, what: str) -> str:
    """`1 step`, `60 steps`, `2.5 epochs`."""
    said = f"{count:,.0f}" if float(count).is_integer() or count >= 10 else f"{count:.2g}"
    return f"{said} {what}{'' if count == 1 else 's'}"
