"""Queries and keys in eight bits: half of half precision, and near enough for weights.

    query . key = (query * c) . (key / c)

for any positive `c` of each channel. It is chosen so that a channel is as large in the queries
as in the keys, because one large channel would cost all others their precision; each row then has
its own step.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.view.blocks import Blocks

MOST = 127


def balance(query: NDArray[np.float32], key: NDArray[np.float32]) -> NDArray[np.float32]:
    """The factor of each channel, `[kv_heads, 1, head_dim]`, in half precision.

    >>> ones = np.ones((1, 2, 1), dtype=np.float32)
    >>> balance(ones, 4 * ones).tolist()
    [[[2.0]]]
    """
    groups, _, width = key.shape
    of_query = np.abs(query.reshape(groups, -1, width)).max(axis=1, initial=0.0)
    of_key = np.abs(key).max(axis=1, initial=0.0)
    known = (of_query > 0) & (of_key > 0)
    ratio = np.sqrt(np.where(known, of_key, 1) / np.where(known, of_query, 1))
    factors: NDArray[np.float32] = ratio.clip(1e-3, 1e3).astype(np.float16).astype(np.float32)
    return factors[:, None, :]


def rounded(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Vectors as whole numbers from -127 to 127, and the step of each, in half precision.

    >>> codes, steps = rounded(np.array([[[0.5, -1.0]]], dtype=np.float32))
    >>> codes.tolist(), steps.shape
    ([[[64, -127]]], (1, 1))
    """
    largest = np.abs(vectors).max(axis=-1, initial=0.0)
    steps = np.where(largest > 0, largest / MOST, 1).astype(np.float16)
    # A step may have been rounded to nothing.
    read: NDArray[np.float32] = np.maximum(steps, np.float16(6e-5)).astype(np.float32)
    codes: NDArray[np.int8] = np.rint(vectors / read[..., None]).clip(-MOST, MOST).astype(np.int8)
    return codes, read


def as_read(codes: NDArray[np.int8], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors that a page computes with."""
    return codes.astype(np.float32) * steps[..., None]


def stored(
    vectors: NDArray[np.float32], factors: NDArray[np.float32], blocks: Blocks
) -> dict[str, Any]:
    """Vectors as a page reads them; dividing by the factors gives those of the network."""
    codes, steps = rounded(vectors)
    return {
        "kind": "bytes",
        "block": blocks.add(codes),
        "shape": list(vectors.shape),
        "steps": blocks.add_half(steps),
        "factors": blocks.add_half(factors[:, 0]),
    }
