"""Weights as small whole numbers: the square root of each, in steps, so that small ones count too.

    code = round(levels * sqrt(|weight| / peak))        weight ~ sign * peak * (code / levels)^2

The error is largest for the largest weight, `peak * (step - step^2 / 4)` with `step = 1 / levels`:
0.004 for a weight of 1 and 255 levels, a sixteenth of that for a weight of 1/256.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FINEST = 255
LEVELS = (FINEST, 127, 63, 31)
"""From fine to coarse; where weights are negative, a level has two signs and there are half."""
LOWEST_PEAK = 0.05
"""Heads whose weights are all smaller are stored as if one had this: noise is not worth bytes."""


@dataclass(frozen=True)
class Codes:
    """The codes of `[heads, q, k]` weights, and what is needed to read them.

    Args:
        codes: 0 to `levels`; with a sign, 128 stands for zero.
        peaks: the largest absolute weight of each head.
        error: no weight is further from the exact one than this.
    """

    codes: NDArray[np.uint8]
    peaks: tuple[float, ...]
    levels: int
    signed: bool
    error: float


def encode(weights: NDArray[np.float32], levels: int = FINEST) -> Codes:
    """Weights as codes; what is not finite becomes 0.

    >>> codes = encode(np.array([[[0.25, 1.0, 0.0]]], dtype=np.float32))
    >>> codes.codes.tolist(), codes.levels, round(codes.error, 4)
    ([[[128, 255, 0]]], 255, 0.0039)
    """
    if not np.isfinite(weights).all():
        weights = np.nan_to_num(weights, nan=0.0, posinf=0.0, neginf=0.0)
    signed = bool((weights < 0).any())
    if signed:
        levels = min(levels, 127)
    largest = np.abs(weights).max(axis=(1, 2), initial=0.0)
    peaks = np.maximum(largest, LOWEST_PEAK).astype(np.float32)
    scaled = np.abs(weights) if signed else weights.copy()
    scaled *= (levels * levels / peaks)[:, None, None]
    np.sqrt(scaled, out=scaled)
    if signed:
        np.copysign(scaled, weights, out=scaled)
        scaled += 128
    np.rint(scaled, out=scaled)
    step = 1 / levels
    error = float(peaks.max(initial=0.0)) * (step - step * step / 4)
    return Codes(scaled.astype(np.uint8), tuple(peaks.tolist()), levels, signed, error)


def decode(codes: Codes) -> NDArray[np.float32]:
    """The weights that a page shows.

    >>> decode(encode(np.array([[[0.25, 1.0, 0.0]]], dtype=np.float32))).round(2).tolist()
    [[[0.25, 1.0, 0.0]]]
    """
    shifted = codes.codes.astype(np.float32) - (128 if codes.signed else 0)
    peaks = np.array(codes.peaks, dtype=np.float32)[:, None, None]
    return np.copysign(np.square(shifted / codes.levels), shifted) * peaks


def bits_of(sample: NDArray[np.float32]) -> tuple[float, ...]:
    """How many bits a weight like these takes in each of `LEVELS`.

    What deflate makes of codes is a little below their entropy, which a sample tells, and above the
    seventh of a bit that runs take.
    """
    return tuple(max(0.15, entropy(encode(sample, levels).codes)) for levels in LEVELS)


def entropy(codes: NDArray[np.uint8]) -> float:
    """Bits that each code takes if none of them tells of another.

    >>> entropy(np.array([0, 1, 2, 3], dtype=np.uint8))
    2.0
    """
    counts = np.bincount(codes.ravel(), minlength=256)
    shares = counts[counts > 0] / max(1, codes.size)
    return float(-(shares * np.log2(shares)).sum())
