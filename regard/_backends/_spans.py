"""Cutting a call into pieces: some queries, and the keys that any of them may see.

What a mask of intervals (windows, blocks, documents, prefixes, padding, joined by `&` and `|`)
hides from all queries of a piece is never met. A piece grows as long as the pairs it would meet in
vain take less time than beginning another one, and its arrays have room.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from regard import normalizers, scores
from regard._backends._call import Call
from regard._backends._intervals import Numbers, clipped, interval_of
from regard._torch_private import is_jit_traced

# Pairs that take as long as the operations between which a piece is begun and ended.
SPARE = 1 << 16
# Of the pairs of a piece, those that may be met in vain where it is large: one in so many.
SHARE = 8
# Queries that are looked at first to see how many make a piece.
FEW = 64

# The score of a pair depends on that pair alone, not on where its key stands.
PAIR_BY_PAIR = (
    scores.Additive, scores.Bilinear, scores.ConcatReLU, scores.ConcatTanhSum, scores.Cosine,
    scores.Dot, scores.FeatureMapDot, scores.GATv2, scores.InverseDistance, scores.LuongConcat,
    scores.MLP, scores.NegativeSquaredDistance, scores.ScaledDot,
)  # fmt: skip
# Weights depend on the permitted keys alone, not on where these stand.
PLACELESS = (
    normalizers.Entmax, normalizers.Hard, normalizers.LearnedEntmax, normalizers.Sink,
    normalizers.Softmax, normalizers.TopK,
)  # fmt: skip
PLACELESS_FUNCTIONS = (
    normalizers.divide_by_count, normalizers.divide_by_sum, normalizers.hard, normalizers.sigmoid,
    normalizers.softmax, normalizers.softmax_one, normalizers.sparsemax, normalizers.unnormalized,
)  # fmt: skip


class Piece(NamedTuple):
    """Queries `start..stop` of a call, and the keys `first..last` that they meet."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def pairs(self) -> int:
        return (self.stop - self.start) * (self.last - self.first)


def may_narrow(call: Call) -> bool:
    """Whether queries may be given a part of the keys: no part but mask and bias knows places."""
    if call.mask is None or torch.compiler.is_compiling() or is_jit_traced():
        return False
    normalizer = call.normalizer
    placeless = normalizer in PLACELESS_FUNCTIONS or type(normalizer) in PLACELESS
    score = call.score
    pair_by_pair = type(score) in PAIR_BY_PAIR or getattr(score, "is_pair_by_pair", False)
    return placeless and pair_by_pair


def intervals(call: Call) -> tuple[Numbers, Numbers] | None:
    """`low` and `high`: query i of no sequence sees any of the keys outside `low[i]..high[i]`.

    None where the mask does not say, or where what it holds cannot be looked at.
    """
    low, high = clipped(interval_of(call.mask, call), call)
    if bool((low == 0).all() and (high == call.k_len).all()) or not low.size:
        return None
    sees = low < high
    low, high = np.where(sees, low, call.k_len).min(0), np.where(sees, high, 0).max(0)
    low, high = (np.broadcast_to(x, (call.q_len,)) for x in (low, high))
    return np.where(low < high, low, call.k_len), np.where(low < high, high, 0)


def pieces(low: Numbers, high: Numbers, lead: int, most: int) -> Iterator[Piece]:
    """Pieces of at most so many pairs in each of `lead` heads, and one query at least."""
    start, size, spare = 0, FEW, SPARE // max(1, lead)
    while start < len(low):
        here = slice(start, start + size)
        first, last = np.minimum.accumulate(low[here]), np.maximum.accumulate(high[here])
        width = np.maximum(last - first, 0)
        met = np.arange(1, len(width) + 1) * width
        needed = np.cumsum(np.maximum(high[here] - low[here], 0))
        fits = (met - needed <= np.maximum(spare, needed // SHARE)) & (met <= most)
        fits[0] = True
        taken = len(fits) if fits.all() else int(fits.argmin())
        if taken == size and start + size < len(low):
            size *= 2  # there may be room for more
            continue
        at = taken - 1
        yield Piece(start, start + taken, int(first[at]) if width[at] else 0, int(last[at]))
        start, size = start + taken, max(FEW, 2 * taken)
