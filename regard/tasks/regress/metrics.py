"""How good numbers are: their errors, and whether they rise and fall with the right ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.tasks.regress.coder import Scale

Record = dict[str, Any]
Numbers = Float[np.ndarray, " n"]


def number_records(
    output: Float[Tensor, "batch 1"], number: Float[Tensor, " batch"], scale: Scale
) -> list[Record]:
    """For each example its number and the network's, both as they are written in the data."""
    both = zip(number.tolist(), output.float()[:, 0].tolist(), strict=True)
    return [{"target": scale.restored(n), "answer": scale.restored(x)} for n, x in both]


def scores_of_records(records: Sequence[Record], scale: Scale) -> dict[str, float]:
    """The loss of `number_loss` for each example, and the metrics of `number_scores`."""
    answers, targets = (np.array([r[key] for r in records]) for key in ("answer", "target"))
    found = number_scores(answers, targets)
    return {"loss": (found["rmse"] / scale.deviation) ** 2, **found}


def number_scores(answers: Numbers, targets: Numbers) -> dict[str, float]:
    """Root mean squared error, mean absolute error, and the correlations of Pearson and Spearman.

    A correlation with numbers that are all the same is 0.

    >>> number_scores(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))["spearman"]
    1.0
    """
    errors = answers - targets
    return {
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(np.abs(errors).mean()),
        "pearson": correlation(answers, targets),
        "spearman": correlation(ranks(answers), ranks(targets)),
    }


def correlation(x: Numbers, y: Numbers) -> float:
    """Pearson's: the mean product of both in deviations from their means.

    >>> correlation(np.array([1.0, 2.0, 4.0]), np.array([-1.0, -2.0, -4.0]))
    -1.0
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:  # Their mean may be off by a bit, and that is no signal.
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def ranks(numbers: Numbers) -> Numbers:
    """Places from 1 on in rising order; equal numbers share the mean of theirs.

    >>> ranks(np.array([30.0, 10.0, 30.0, 20.0]))
    array([3.5, 1. , 3.5, 2. ])
    """
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]
