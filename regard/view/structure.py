"""Masks and biases by their structure: most are known from far fewer numbers than pairs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.view.blocks import Blocks

MOST_PAIRS = 4_000_000
"""Numbers of a bias or a mask without structure that a page carries."""
CLOSED = -6e4
"""A bias below this closes a pair, as the fill values of additive masks do."""


def stored_mask(allowed: NDArray[np.bool_] | None, blocks: Blocks) -> dict[str, Any] | None:
    """A mask `[heads or 1, rows or 1, k]` as spans of keys, where each row has one; else as bits.

    None for a mask that is too large to carry.
    """
    if allowed is None or allowed.all():
        return {"kind": "all"}
    heads, rows, _ = allowed.shape
    spans = _spans(allowed)
    if spans is not None:
        return stored_spans(spans, blocks)
    if allowed.size > 8 * MOST_PAIRS:
        return None
    packed = np.packbits(allowed, axis=-1, bitorder="little")
    return {"kind": "bits", "block": blocks.add(packed), "heads": heads, "rows": rows}


def stored_spans(spans: NDArray[np.int32], blocks: Blocks) -> dict[str, Any]:
    """The ranges of keys that rows may attend to, `[heads or 1, rows or 1, 2]`."""
    heads, rows, _ = spans.shape
    return {"kind": "spans", "block": blocks.add(spans), "heads": heads, "rows": rows}


def opened(spans: NDArray[np.int32], keys: int) -> NDArray[np.bool_]:
    """Which keys the ranges are of.

    >>> opened(np.array([[[0, 1], [1, 3]]], dtype=np.int32), 3).tolist()
    [[[True, False, False], [False, True, True]]]
    """
    places = np.arange(keys)
    within: NDArray[np.bool_] = (places >= spans[..., :1]) & (places < spans[..., 1:])
    return within


def stored_bias(bias: NDArray[np.float32] | None, blocks: Blocks) -> dict[str, Any] | None:
    """A bias `[heads or 1, rows or 1, k]`, as a function of the distance where it is one.

    None for a bias that is too large to carry.
    """
    if bias is None or not bias.any():
        return {"kind": "none"}
    heads, rows, _ = bias.shape
    if rows > 1 and _is_of_distance(bias):
        # From the last row's first key to the first row's last key.
        line = np.concatenate([bias[:, :0:-1, 0], bias[:, 0, :]], axis=1)
        return {"kind": "distance", **blocks.add_half(line)}
    if bias.size > MOST_PAIRS:
        return None
    return {"kind": "dense", **blocks.add_half(bias)}


def split(
    bias: NDArray[np.float32] | None, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None]:
    """Bias and mask where the bias closes pairs too, as `-inf` does: what is closed is the mask's.

    >>> bias, allowed = split(np.array([[[0.5, -np.inf]]], dtype=np.float32), None)
    >>> bias.tolist(), allowed.tolist()
    ([[[0.5, 0.0]]], [[[True, False]]])
    """
    if bias is None or not (bias < CLOSED).any():
        return bias, allowed
    opened = bias >= CLOSED
    return np.where(opened, bias, np.float32(0)), opened if allowed is None else opened & allowed


def _spans(allowed: NDArray[np.bool_]) -> NDArray[np.int32] | None:
    """The first key of each row and the one behind its last; None where a row has gaps."""
    first = allowed.argmax(-1)
    counts = allowed.sum(-1)
    last = allowed.shape[-1] - allowed[..., ::-1].argmax(-1)
    if ((counts > 0) & (last - first != counts)).any():
        return None
    first = np.where(counts > 0, first, 0)
    return np.stack([first, first + counts], axis=-1).astype("<i4")


def _is_of_distance(bias: NDArray[np.float32]) -> bool:
    return bias.shape[2] > 1 and bool((bias[:, 1:, 1:] == bias[:, :-1, :-1]).all())
