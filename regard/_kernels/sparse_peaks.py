"""The best score of a row, and the peak of each block, so that few blocks are looked at again.

Scores are compared as whole numbers, whose order is that of the floats, so that the search becomes
vector instructions and NaN is not lost in it.
"""

import numpy as np

from regard._kernels.by_address import inner

BLOCK = 64
"""Scores that have a peak in common."""
INFINITY, _SIGN = 0x7F800000, np.int32(0x7FFFFFFF)
LEAST = np.float32(np.finfo(np.float32).min)


def _ordered_of(bits):  # type: ignore[no-untyped-def]
    """The whole number whose place among others is that of the float; it is its own inverse."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & _SIGN))


as_ordered = inner(_ordered_of)


def _number_of(ordered, space):  # type: ignore[no-untyped-def]
    space[0] = as_ordered(ordered)
    return space.view(np.float32)[0]


as_number = inner(_number_of)


def _peak_of(bits):  # type: ignore[no-untyped-def]
    greatest, most = np.int32(-0x7FFFFFFF), np.int32(0)
    for i in range(len(bits)):
        greatest = max(greatest, as_ordered(bits[i]))
        most = max(most, np.int32(bits[i] & _SIGN))
    return greatest, most


_peak = inner(_peak_of)


def _peaks_of(bits, peaks):  # type: ignore[no-untyped-def]
    """The peak of each block, the best of them, and the greatest bits without their sign."""
    best, odd = np.int32(-0x7FFFFFFF), np.int32(0)
    for block in range(len(peaks)):
        peaks[block], most = _peak(bits[block * BLOCK : (block + 1) * BLOCK])
        best, odd = max(best, peaks[block]), max(odd, most)
    return best, odd


find_peaks = inner(_peaks_of)


def _best_of(bits, peaks, space):  # type: ignore[no-untyped-def]
    """The best score; NaN where one is NaN, or nothing can be told from infinity."""
    best, odd = find_peaks(bits, peaks)
    if odd > INFINITY or best == INFINITY:
        return np.float32(np.nan)
    return as_number(best, space)


find_best = inner(_best_of)
