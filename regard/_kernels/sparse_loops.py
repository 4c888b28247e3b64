"""Rows of scores to the few keys that get weight: entmax, the best key, the k best.

The keys of a row with weight are written over its first scores, their places beside them. With gaps
to the best score, `s = alpha - 1` and `p = 1 / s`, entmax is

    weights_j = max(0, s gap_j + t)^p        with t such that they sum to one

where the root of order p of the sum is convex in t, and nearly a straight line, so that Newton's
method comes to it from above in a few steps.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import SUMS, by_address, inner
from regard._kernels.powers import power
from regard._kernels.sparse_peaks import (
    BLOCK,
    INFINITY,
    LEAST,
    as_number,
    as_ordered,
    find_best,
    find_peaks,
)

_STEPS = 100
"""More than Newton's method takes for any row."""


def _above_of(x, places, peaks, bound, space):  # type: ignore[no-untyped-def]
    """Move the scores from a bound on to the front; how many there are."""
    count = 0
    for block in range(len(peaks)):
        if as_number(peaks[block], space) < bound:
            continue
        begin = block * BLOCK
        some = x[begin : begin + BLOCK]
        for i in range(len(some)):
            one = some[i]
            x[count], places[count] = one, begin + i
            count += one >= bound
    return count


_above = inner(_above_of)


def _sums_of(gaps, t, p):  # type: ignore[no-untyped-def]
    """The sum of the weights for t, and its slope over p."""
    total, slope = 0.0, 0.0
    if p == 1.0:
        for j in range(len(gaps)):
            x = gaps[j] + t
            total += x if x > 0.0 else 0.0
            slope += 1.0 if x > 0.0 else 0.0
    elif p == 2.0:
        for j in range(len(gaps)):
            x = gaps[j] + t
            x = x if x > 0.0 else 0.0
            total += x * x
            slope += x
    else:
        for j in range(len(gaps)):
            x = gaps[j] + t
            there = x > 0.0
            x = x if there else 1.0
            weight = power(x, p)
            weight = weight if there else 0.0
            total += weight
            slope += weight / x
    return total, slope


_sums = inner(_sums_of, fastmath=SUMS)


def _solved_of(gaps, t, p, near):  # type: ignore[no-untyped-def]
    """Where the sum of the weights is 1, from a larger t, after a step of no more than `near`.

    What is left is of the size of its square.
    """
    for _ in range(_STEPS):
        total, slope = _sums(gaps, t, p)
        # Of the sum's root of order p, which is nearly a straight line.
        lower = t - (total - total ** (1.0 - 1.0 / p)) / slope
        if not lower < t * (1.0 - 4e-16):
            break
        is_near = t - lower <= t * near
        t = lower
        if is_near:
            break
    return t


_solved = inner(_solved_of)


def _weigh_of(gaps, t, p):  # type: ignore[no-untyped-def]
    """Gaps become weights."""
    for j in range(len(gaps)):
        x = gaps[j] + t
        there = x > 0.0
        x = x if there else 1.0
        weight = x if p == 1.0 else x * x if p == 2.0 else power(x, p)
        gaps[j] = weight if there else 0.0


_weigh = inner(_weigh_of)


def _entmax_rows(scores, places, counts, alpha, rows, width, first, last):  # type: ignore[no-untyped-def]
    """Entmax for alpha up to 2 of the rows `first..last`."""
    bits, at = carray(scores, (rows, width)), carray(places, (rows, width))
    found, s = carray(counts, (rows,)), carray(alpha, (1,))[0] - 1.0
    x, p = bits.view(np.float32), 1.0 / s
    peaks, space = np.empty((width + BLOCK - 1) // BLOCK, np.int32), np.empty(1, np.int32)
    gaps = np.empty(width, np.float64)
    # A sum of straight lines has corners: there nothing but no step at all is near.
    coarse, fine = (0.0, 0.0) if p == 1.0 else (1e-2, 1e-5)
    for r in range(first, last):
        best = find_best(bits[r], peaks, space)
        if not (best >= LEAST):
            at[r, 0], found[r] = 0, 0 if best == -np.inf else 1
            x[r, 0] = np.nan
            continue
        # The peaks alone have a sum of 1 at a larger t, and few others come up to that.
        for block in range(len(peaks)):
            gaps[block] = s * (np.float64(as_number(peaks[block], space)) - np.float64(best))
        t = _solved(gaps[: len(peaks)], 1.0, p, coarse)
        bound = max(np.float32(np.float64(best) - t * p), LEAST)
        count = _above(x[r], at[r], peaks, bound, space)
        for j in range(count):
            gaps[j] = s * (np.float64(x[r, j]) - np.float64(best))
        t = _solved(gaps[:count], t, p, fine)
        _weigh(gaps[:count], t, p)
        kept = 0
        for j in range(count):
            weight = np.float32(gaps[j])
            x[r, kept], at[r, kept] = weight, at[r, j]
            kept += 1 if weight > np.float32(0) else 0
        found[r] = kept


def _hard_rows(scores, places, counts, alpha, rows, width, first, last):  # type: ignore[no-untyped-def]
    """The first of the best keys of the rows `first..last`."""
    bits, at = carray(scores, (rows, width)), carray(places, (rows, width))
    found, x = carray(counts, (rows,)), bits.view(np.float32)
    peaks, space = np.empty((width + BLOCK - 1) // BLOCK, np.int32), np.empty(1, np.int32)
    for r in range(first, last):
        top, odd = find_peaks(bits[r], peaks)
        best = as_number(top, space)
        at[r, 0], found[r] = 0, 0 if best == -np.inf else 1
        if odd > INFINITY:  # NaN counts as more than any number
            found[r], x[r, 0], i = 1, 1.0, 0
            row = bits[r]
            while (row[i] & 0x7FFFFFFF) <= INFINITY:
                i += 1
            at[r, 0] = i
            continue
        block = 0
        while found[r] and as_number(peaks[block], space) != best:
            block += 1
        some = x[r, block * BLOCK : (block + 1) * BLOCK]
        for i in range(len(some)):
            if some[i] == best:
                at[r, 0] = block * BLOCK + i
                break
        x[r, 0] = 1.0


def _many_of(ordered, bound):  # type: ignore[no-untyped-def]
    """How many are not below a bound."""
    count = np.int32(0)
    for i in range(len(ordered)):
        count = np.int32(count + np.int32(ordered[i] >= bound))
    return count


_many = inner(_many_of)


def _halved_of(ordered, low, high, k, enough):  # type: ignore[no-untyped-def]
    """Halve `low..high`, so many from the lower end on and fewer from the upper, until enough."""
    count = len(ordered)
    while count > enough and np.int64(high) - np.int64(low) > 1:
        middle = np.int32((np.int64(low) + np.int64(high)) >> 1)
        found = _many(ordered, middle)
        if found >= k:
            low, count = middle, found
        else:
            high = middle
    return low, high


_halved = inner(_halved_of)


def _top_rows(scores, places, counts, most, rows, width, first, last):  # type: ignore[no-untyped-def]
    """Softmax over the best keys, so many at most, of the rows `first..last`."""
    bits, at = carray(scores, (rows, width)), carray(places, (rows, width))
    found, k = carray(counts, (rows,)), min(width, int(carray(most, (1,))[0]))
    x = bits.view(np.float32)
    peaks, space = np.empty((width + BLOCK - 1) // BLOCK, np.int32), np.empty(1, np.int32)
    for r in range(first, last):
        best = find_best(bits[r], peaks, space)
        if not (best >= LEAST):
            at[r, 0], found[r] = 0, 0 if best == -np.inf else 1
            x[r, 0] = np.nan
            continue
        row, where = bits[r], at[r]
        for i in range(width):
            row[i] = as_ordered(row[i])
        low, high = as_ordered(np.int32(-0x00800001)), np.int32(peaks.max() + 1)
        if _many(row, low) > k:  # of those that are finite
            low, high = _halved(row, low, high, k, k + k // 2 + 8)
        kept = 0
        for i in range(width):
            one = row[i]
            row[kept], where[kept] = one, i
            kept += one >= low
        if kept > k:
            low, high = _halved(row[:kept], low, high, k, k)
        # All from the upper end on are among the best; equal ones below fill what room is left.
        room, total, some = k - _many(row[:kept], high), 0.0, 0
        for j in range(kept):
            one = row[j]
            if one >= high or (one >= low and room > 0):
                room -= one < high
                total += np.exp(np.float64(as_number(one, space)) - np.float64(best))
                row[some], where[some] = as_ordered(one), where[j]
                some += 1
        for j in range(some):
            x[r, j] = np.float32(np.exp(np.float64(x[r, j]) - np.float64(best)) / total)
        found[r] = some


_I, _L, _D = types.int32, types.int64, types.float64
entmax_rows = by_address(_entmax_rows, [_I, _I, _L, _D], 4)
hard_rows = by_address(_hard_rows, [_I, _I, _L, _D], 4)
top_rows = by_address(_top_rows, [_I, _I, _L, _D], 4)
