"""How good numbers are: their errors, and whether they rise and fall with the right ones."""

import numpy as np
from jaxtyping import Float

Numbers = Float[np.ndarray, " n"]


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
