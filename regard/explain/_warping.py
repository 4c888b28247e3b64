"""Dynamic time warping: the cheapest monotone path through a matrix."""

import numpy as np
from jaxtyping import Float

Numbers = np.ndarray


def cheapest_path(cost: Float[Numbers, "rows columns"]) -> list[tuple[int, int]]:
    """The path of least cost from the first corner to the last, in steps down, right or diagonal.

    Ties go to the diagonal step, then to the step down.

    >>> cheapest_path(np.array([[0.0, 1.0, 5.0], [5.0, 0.0, 0.0]]))
    [(0, 0), (1, 1), (1, 2)]
    """
    rows, columns = cost.shape
    least = np.full((rows + 1, columns + 1), np.inf)
    least[0, 0] = 0.0
    # Along diagonals, whose entries do not hang on each other.
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(least[i - 1, j - 1], least[i - 1, j]), least[i, j - 1])
        least[i, j] = cost[i - 1, j - 1] + before
    path = [(rows, columns)]
    while path[-1] != (1, 1):
        i, j = path[-1]
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        path.append(min(steps, key=lambda at: least[at]))
    return [(i - 1, j - 1) for i, j in reversed(path)]
