"""Cutting a call into pieces: some queries, and the keys that any of them may see.

What a mask of intervals (windows, blocks, documents, prefixes, padding, joined by `&` and `|`)
hides from all queries of a piece is never met. A piece grows as long as the pairs it would meet in
vain take less time than beginning another one, and its arrays have room.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from regard import normalizers, scores
from regard._backends._call import Call
from regard._pairwise import rows_of
from regard._torch_private import can_look_at, is_jit_traced
from regard._typing import MaskMod
from regard.masks import Block, Causal, Document, Padding, Prefix, SlidingWindow
from regard.masks._mask import And, Or

Numbers = np.ndarray
Interval = tuple[Numbers | int, Numbers | int]

# Pairs that take as long as the operations between which a piece is begun and ended.
SPARE = 1 << 16
# Of the pairs of a piece, those that may be met in vain where it is large: one in so many.
SHARE = 8
# A reach of more is none, and a sum with a position would overflow.
FARTHEST = 1 << 40
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
    """`low` and `high`: query i sees none of the keys outside `low[i]..high[i]`.

    None where the mask does not say, or where what it holds cannot be looked at.
    """
    offset = call.q_offset
    if not isinstance(offset, Tensor):
        first = last = offset
    elif can_look_at(offset) and offset.numel():
        first, last = (int(each) for each in offset.aminmax())
    else:
        return None
    rows = np.arange(call.q_len)
    low, high = _interval(call.mask, call, rows + first, rows + last)
    low, high = (np.broadcast_to(np.clip(x, 0, call.k_len), rows.shape) for x in (low, high))
    if bool((low == 0).all() and (high == call.k_len).all()):
        return None
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


def _interval(mask: MaskMod | None, call: Call, first: Numbers, last: Numbers) -> Interval:
    """The keys that may be seen by queries which stand at `first..last`, sequence by sequence."""
    match mask:
        case Causal():
            return 0, last + 1
        case SlidingWindow():
            return first - min(mask.left, FARTHEST), last + min(mask.right, FARTHEST) + 1
        case Block():
            return first // mask.size * mask.size, (last // mask.size + 1) * mask.size
        case Prefix():
            return 0, _longest(mask.length, call)
        case Padding():
            return _real(mask, call)
        case Document():
            return _documents(mask, call)
        case And():
            (low, high), (other_low, other_high) = _sides(mask, call, first, last)
            return np.maximum(low, other_low), np.minimum(high, other_high)
        case Or():
            (low, high), (other_low, other_high) = _sides(mask, call, first, last)
            return np.minimum(low, other_low), np.maximum(high, other_high)
        case _:
            return 0, call.k_len


def _sides(mask: And | Or, call: Call, first: Numbers, last: Numbers) -> tuple[Interval, Interval]:
    left, right = (_interval(side, call, first, last) for side in (mask.left, mask.right))
    return left, right


def _longest(length: int | Tensor, call: Call) -> int:
    """The most keys that a sequence has."""
    if not isinstance(length, Tensor):
        return min(length, call.k_len)
    return int(length.max()) if can_look_at(length) and length.numel() else call.k_len


def _real(mask: Padding, call: Call) -> Interval:
    """The keys between the first and the last that are padding in no sequence."""
    if mask.lengths is not None:
        return 0, _longest(mask.lengths, call)
    keep = mask.keep if mask.ignore is None else ~mask.ignore
    assert keep is not None
    if not can_look_at(keep):
        return 0, call.k_len
    real = keep.any(0).nonzero()
    return (int(real[0]), int(real[-1]) + 1) if len(real) else (call.k_len, 0)


def _documents(mask: Document, call: Call) -> Interval:
    """From the first to the last token of each query's document, in whichever sequence."""
    key_ids = mask.ids if mask.key_ids is None else mask.key_ids
    if not (can_look_at(mask.ids) and can_look_at(key_ids)):
        return 0, call.k_len
    b, _, q, _ = (index.flatten(1, 2).squeeze(-1) for index in call.indices)
    rows = rows_of("Document(ids)", mask.ids.shape[-1], mask.first_query, b, q)
    ids = mask.ids[rows] if mask.ids.ndim == 1 else mask.ids[b, rows]
    low, high = np.full(call.q_len, call.k_len), np.zeros(call.q_len, dtype=int)
    of_keys, of_queries = (x.reshape(-1, x.shape[-1]).numpy() for x in (key_ids, ids))
    for sequence in range(max(len(of_keys), len(of_queries))):
        names, asked = of_keys[sequence % len(of_keys)], of_queries[sequence % len(of_queries)]
        first, last = _ends(names[: call.k_len], asked)
        low, high = np.minimum(low, first), np.maximum(high, last)
    return low, high


def _ends(names: Numbers, asked: Numbers) -> tuple[Numbers, Numbers]:
    """Where the first of the names stands that are as asked, and the end of the last."""
    known, first = np.unique(names, return_index=True)
    last = len(names) - np.unique(names[::-1], return_index=True)[1]
    if len(known) == 0:
        return np.zeros(len(asked), dtype=int), np.zeros(len(asked), dtype=int)
    at = np.searchsorted(known, asked).clip(max=len(known) - 1)
    found = known[at] == asked
    return np.where(found, first[at], len(names)), np.where(found, last[at], 0)
