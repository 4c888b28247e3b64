"""Numbers: where the errors are largest, and whether the answers are too close to the mean."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from regard.tasks.details import Details, DetailTable, JudgedExample, worst_of

Record = dict[str, Any]
Numbers = Float[np.ndarray, " n"]

PARTS = 5


def number_details(
    records: Sequence[Record], written: Callable[[int], tuple[str, str]], worst: int
) -> Details:
    """What records of `target` and `answer` tell.

    Args:
        written: the input and the number of a record by its place, as they stand in the data.
        worst: examples that are wanted.
    """
    targets, answers = (np.array([r[key] for r in records]) for key in ("target", "answer"))

    def example(place: int) -> JudgedExample:
        text, _ = written(place)
        wanted, answered = float(targets[place]), float(answers[place])
        return JudgedExample(text, f"{wanted:g}", f"{answered:.4g}", abs(wanted - answered))

    errors = np.abs(targets - answers).tolist()
    return Details((by_answer(targets, answers),), worst_of(errors, worst, example),
                   (calibration(targets, answers),))  # fmt: skip


def calibration(targets: Numbers, answers: Numbers) -> str:
    """The line through wanted over answered, and the mean error.

    >>> calibration(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    'calibration: wanted = 2 * answered + 0; answers are 2 too low on average'
    """
    mean = float((answers - targets).mean())
    side = "high" if mean > 0 else "low"
    bias = f"answers are {abs(mean):.4g} too {side} on average"
    if np.ptp(answers) == 0:
        return f"calibration: every answer is {answers[0]:.4g}; {bias}"
    apart = answers - answers.mean()
    slope = float(apart @ (targets - targets.mean()) / (apart @ apart))
    rest = float(targets.mean() - slope * answers.mean())
    rest = 0.0 if abs(rest) < 1e-9 * max(1.0, float(np.abs(targets).max())) else rest
    sign = "-" if rest < 0 else "+"
    return f"calibration: wanted = {slope:.4g} * answered {sign} {abs(rest):.4g}; {bias}"


def by_answer(targets: Numbers, answers: Numbers) -> DetailTable:
    """What was wanted where the answers are lowest, ..., highest: parts of the same size."""
    order = np.argsort(answers, kind="stable")
    rows = []
    for part in np.array_split(order, min(PARTS, len(order))):
        some, wanted = answers[part], targets[part]
        error = float(np.abs(some - wanted).mean())
        means = (round(float(some.mean()), 4), round(float(wanted.mean()), 4), round(error, 4))
        rows.append((f"{some.min():.4g} to {some.max():.4g}", *means, len(part)))
    columns = ("answers", "mean answer", "mean wanted", "mean error", "examples")
    return DetailTable("by_answer", "from the lowest answers to the highest", columns, tuple(rows))
