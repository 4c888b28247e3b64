"""Batches of like lengths, so that hardly anything is padding."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def by_tokens(
    lengths: Int[np.ndarray, "n columns"], tokens: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Row numbers in batches whose padded area, rows · Σ_columns longest, is at most `tokens`.

    The rows are sorted by the first column, then by the second, up and down in turn so that a batch
    over the border between two lengths stays even; equal ones are shuffled, and so are the batches.
    Every row comes once. A row longer than `tokens` is a batch of its own.

    Raises `ValueError` for a limit below 1.

    >>> rng = np.random.default_rng(0)
    >>> lengths = np.array([[9, 9], [2, 2], [9, 9], [2, 2], [40, 1]])
    >>> sorted(sorted(rows.tolist()) for rows in by_tokens(lengths, 36, rng))
    [[0, 2], [1, 3], [4]]
    """
    if tokens < 1:
        raise ValueError(f"tokens must be at least 1, got {tokens}")
    order = _neighbours(lengths, rng)
    ordered = lengths[order].astype(np.int64)
    batches, start = [], 0
    while start < len(order):
        # At least so many tokens in every row from here on, so at most so many rows.
        most = tokens // max(1, int(ordered[start, 0])) + 1
        widths = np.maximum.accumulate(ordered[start : start + most]).sum(1)
        areas = np.maximum(widths, 1) * np.arange(1, len(widths) + 1)
        count = max(1, int(np.searchsorted(areas, tokens, side="right")))
        batches.append(order[start : start + count])
        start += count
    return [batches[index] for index in rng.permutation(len(batches))]


def by_rows(
    lengths: Int[np.ndarray, "n columns"], rows: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Row numbers in batches of `rows` rows, sorted and shuffled as in `by_tokens`.

    Every row comes once; one batch may be smaller.

    Raises `ValueError` for a limit below 1.

    >>> rng = np.random.default_rng(0)
    >>> sorted(sorted(rows.tolist()) for rows in by_rows(np.array([[9], [2], [9], [2]]), 2, rng))
    [[0, 2], [1, 3]]
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    order = _neighbours(lengths, rng)
    batches = [order[start : start + rows] for start in range(0, len(order), rows)]
    return [batches[index] for index in rng.permutation(len(batches))]


def evenly(count: int, rows: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All rows in batches of at most `rows` rows that differ by one at most, at random.

    So no batch is of a single row unless all are, of which a batch norm could learn nothing.

    Raises `ValueError` for a limit below 1.

    >>> [len(batch) for batch in evenly(9, 4, np.random.default_rng(0))]
    [3, 3, 3]
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    return np.array_split(rng.permutation(count), -(-count // rows)) if count else []


def padding_share(lengths: Int[np.ndarray, "n columns"], batches: Sequence[np.ndarray]) -> float:
    """The share of positions that hold padding when these batches are made rectangular.

    >>> padding_share(np.array([[4], [2]]), [np.array([0, 1])])
    0.25
    """
    area = sum(len(rows) * int(lengths[rows].max(0).sum()) for rows in batches)
    filled = sum(int(lengths[rows].sum()) for rows in batches)
    return 1 - filled / area if area else 0.0


def _neighbours(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first, rest = lengths[:, 0], lengths[:, 1:].sum(1)
    turned = np.where(first % 2, -rest, rest)
    return np.lexsort([rng.random(len(lengths)), turned, first])
