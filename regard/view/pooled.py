"""A large matrix of weights as a small picture, and the largest weights of each row."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

SIDE = 128
"""Rows and columns of the picture of a large matrix."""
THUMB = 32


@dataclass(frozen=True)
class Overview:
    """Of each tile of a matrix the largest weight and the mean, `[heads, rows, columns]`."""

    most: NDArray[np.float32]
    mean: NDArray[np.float32]


def edges(length: int, side: int) -> NDArray[np.int64]:
    """Where the tiles of an axis begin: at most `side` of them, as equal as they can be.

    >>> edges(5, 2).tolist(), edges(3, 8).tolist()
    ([0, 2], [0, 1, 2])
    """
    count = min(length, side)
    return np.arange(count, dtype=np.int64) * length // max(1, count)


def pool(weights: NDArray[np.float32], starts: NDArray[np.int64] | None = None) -> Overview:
    """The overview of `[heads, q, k]` weights.

    Args:
        starts: the first row of each row of tiles; found from the number of rows if None.

    >>> pool(np.array([[[0.5, 0.5], [0.0, 1.0]]], dtype=np.float32), np.array([0])).most.tolist()
    [[[0.5, 1.0]]]
    """
    _, rows, columns = weights.shape
    below = edges(rows, SIDE) if starts is None else starts
    beside = edges(columns, SIDE)
    if not rows or not columns:
        return Overview(weights, weights)
    # The keys first: they lie beside each other in memory.
    most = np.maximum.reduceat(np.maximum.reduceat(weights, beside, axis=2), below, axis=1)
    total = np.add.reduceat(np.add.reduceat(weights, beside, axis=2), below, axis=1)
    high = np.diff(below, append=rows)[:, None]
    wide = np.diff(beside, append=columns)[None, :]
    return Overview(most, (total / (high * wide)).astype(np.float32))


def pool_most(weights: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The largest weight of each tile, `[heads, side or less, side or less]`.

    >>> pool_most(np.array([[[0.5, 0.5], [0.0, 1.0]]], dtype=np.float32), 1).tolist()
    [[[1.0]]]
    """
    _, rows, columns = weights.shape
    if not rows or not columns:
        return weights
    narrow = np.maximum.reduceat(weights, edges(columns, side), axis=2)
    small: NDArray[np.float32] = np.maximum.reduceat(narrow, edges(rows, side), axis=1)
    return small


def largest(
    weights: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `count` largest weights of each row and where they are, largest first."""
    values, places = torch.from_numpy(weights).topk(min(count, weights.shape[-1]), dim=-1)
    return places.numpy(), values.numpy()
