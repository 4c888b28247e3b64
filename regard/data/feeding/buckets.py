"""Batches of sequences of like length, so that hardly anything is padding."""

from collections.abc import Iterator

import numpy as np


def buckets(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers, `batch_size` at a time, each batch of one length or of neighbouring ones.

    The rows are sorted by length, equal ones shuffled, and cut; the batches come in random order.
    Every row comes once; one batch may be smaller.

    Raises `ValueError` for a batch size below 1.

    >>> rng = np.random.default_rng(0)
    >>> sorted(sorted(rows.tolist()) for rows in buckets(np.array([9, 2, 9, 2]), 2, rng))
    [[0, 2], [1, 3]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    order = np.lexsort([rng.random(len(lengths)), lengths])
    starts = np.arange(0, len(order), batch_size)
    for start in rng.permutation(starts):
        yield order[start : start + batch_size]
