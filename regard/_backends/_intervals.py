"""Which keys a mask permits each query, where they are one run: all that is known of that.

Windows, blocks, documents, prefixes and padding are runs of keys, and so is what `&` leaves of
runs. Arrays are NumPy's, and PyTorch's in a recorded graph, where no number can be looked at.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from regard._backends._call import Call
from regard._pairwise import rows_of
from regard._torch_private import can_look_at
from regard._typing import MaskMod
from regard.masks import Block, Causal, Document, KeyCounts, Padding, Prefix, SlidingWindow
from regard.masks._mask import And, Mask, Not, Or

Numbers = np.ndarray

FARTHEST = 1 << 40
"""A reach of more is none, and a sum with a position would overflow."""


class Interval(NamedTuple):
    """Keys `low..high` of each query, numbers or `[B or 1, Q or 1]`; no others are permitted.

    `is_run` says that all of these are; where it is False there may be gaps.
    """

    low: Any
    high: Any
    is_run: bool


def interval_of(mask: MaskMod | None, call: Call, recorded: bool = False) -> Interval:
    """What this mask permits each query of the call, as far as that can be read."""
    q: Any = torch.arange(call.q_len)[None] if recorded else np.arange(call.q_len)[None]
    offset: Any = call.q_offset
    if isinstance(offset, Tensor):
        offset = _opened(offset, q)
        if offset is None:
            return _everything(call, mask is None)
        offset = offset.reshape(-1, 1)
    return _interval(mask, call, q + offset)


def clipped(found: Interval, call: Call) -> tuple[Numbers, Numbers]:
    """Both as arrays of one shape, within the call's keys."""
    low, high = (np.atleast_2d(np.clip(x, 0, call.k_len)) for x in (found.low, found.high))
    low, high = np.broadcast_arrays(low, high)
    return low, high


def ends_of(call: Call, recorded: bool = False) -> Tensor:
    """First keys and ends of all runs: int32 `[2, B or 1, Q or 1]`."""
    found = interval_of(call.mask, call, recorded)
    if not recorded:
        return torch.from_numpy(np.stack(clipped(found, call)).astype(np.int32))
    pair = [x if isinstance(x, Tensor) else torch.full((1, 1), x) for x in found[:2]]
    return torch.stack(torch.broadcast_tensors(*pair)).clamp(0, call.k_len).to(torch.int32)


def between_ends(ends: Tensor) -> Mask:
    """The mask of the keys between such ends, for a call that begins at its first position."""
    low, high = (KeyCounts(end).aligned(0) for end in ends)
    return high & ~low


def _interval(mask: MaskMod | None, call: Call, q: Any) -> Interval:
    match mask:
        case None:
            return _everything(call, True)
        case Causal():
            return Interval(0, q + 1, True)
        case SlidingWindow():
            left, right = (min(reach, FARTHEST) for reach in (mask.left, mask.right))
            return Interval(q - left, q + (right + 1), True)
        case Block():
            return Interval(q // mask.size * mask.size, (q // mask.size + 1) * mask.size, True)
        case Prefix():
            return _first_keys(mask.length, call, q)
        case Padding():
            return _real(mask, call, q)
        case KeyCounts():
            return _counted(mask, call, q)
        case Document():
            return _documents(mask, call, q)
        case And():
            one, other = (_interval(side, call, q) for side in (mask.left, mask.right))
            low, high = _larger(one.low, other.low), _smaller(one.high, other.high)
            return Interval(low, high, one.is_run and other.is_run)
        case Or():
            return _either(_interval(mask.left, call, q), _interval(mask.right, call, q), call)
        case Not():
            inner = _interval(mask.inner, call, q)
            begins = inner.is_run and _is_start(inner.low)
            return Interval(inner.high, call.k_len, True) if begins else _everything(call, False)
        case _:
            return _everything(call, False)


def _everything(call: Call, is_run: bool) -> Interval:
    return Interval(0, call.k_len, is_run)


def _opened(tensor: Tensor, q: Any) -> Any:
    """A tensor's numbers as an array of the kind that positions are, None where none are to be had.

    A graph takes tensors as they are.
    """
    if isinstance(q, Tensor):
        return tensor.long()
    return tensor.numpy().astype(np.int64) if can_look_at(tensor) else None


def _larger(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a.clamp(min=b) if isinstance(a, Tensor) else b.clamp(min=a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.maximum(a, b)
    return torch.sym_max(a, b)


def _smaller(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a.clamp(max=b) if isinstance(a, Tensor) else b.clamp(max=a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.minimum(a, b)
    return torch.sym_min(a, b)


def _is_start(low: Any) -> bool:
    """Whether runs begin with the first key whatever the numbers are."""
    return type(low) is int and low == 0


def _either(one: Interval, other: Interval, call: Call) -> Interval:
    """From the first to the last key of two intervals: a run where they touch."""
    if _is_start(one.low) and _is_start(other.low):
        return Interval(0, _larger(one.high, other.high), one.is_run and other.is_run)
    if any(isinstance(x, Tensor) for x in (*one, *other)):
        return _everything(call, False)
    (low_a, high_a), (low_b, high_b) = clipped(one, call), clipped(other, call)
    none_a, none_b = low_a >= high_a, low_b >= high_b
    touch = (low_a <= high_b) & (low_b <= high_a) | none_a | none_b
    low = np.minimum(np.where(none_a, call.k_len, low_a), np.where(none_b, call.k_len, low_b))
    high = np.maximum(np.where(none_a, 0, high_a), np.where(none_b, 0, high_b))
    return Interval(low, high, one.is_run and other.is_run and bool(touch.all()))


def _first_keys(length: int | Tensor, call: Call, q: Any) -> Interval:
    """So many keys, of all sequences or of each."""
    if not isinstance(length, Tensor):
        return Interval(0, length, True)
    numbers = _opened(length, q)
    if numbers is None:
        return _everything(call, False)
    return Interval(0, numbers.reshape(-1, 1), True)


def _real(mask: Padding, call: Call, q: Any) -> Interval:
    """The keys of each sequence from the first to the last that are no padding."""
    if mask.lengths is not None:
        return _first_keys(mask.lengths, call, q)
    given = mask.keep if mask.ignore is None else mask.ignore
    assert given is not None
    if isinstance(q, Tensor) or not can_look_at(given):
        return _everything(call, False)
    keep = given.numpy() if mask.ignore is None else ~given.numpy()
    if not keep.size:
        return Interval(0, 0, True)
    some = keep.any(1)
    low = np.where(some, keep.argmax(1), 0)
    high = np.where(some, keep.shape[1] - keep[:, ::-1].argmax(1), 0)
    is_run = bool((keep.sum(1) == high - low).all())
    return Interval(low[:, None], high[:, None], is_run)


def _counted(mask: KeyCounts, call: Call, q: Any) -> Interval:
    """The first keys of each query, where all heads have the same number."""
    counts = mask.counts
    if counts.ndim == 3 and counts.shape[1] > 1:
        return _everything(call, False)
    first, numbers = mask.first_query, _opened(counts, q)
    start = _opened(first, q) if isinstance(first, Tensor) else first
    if numbers is None or (start is None and first is not None):
        return _everything(call, False)
    numbers = numbers.reshape(-1, numbers.shape[-1])
    if numbers.shape[1] == 1:
        return Interval(0, numbers, True)
    rows = q if start is None else q - (start if isinstance(start, int) else start.reshape(-1, 1))
    if isinstance(rows, Tensor):
        shape = max(len(numbers), len(rows)), rows.shape[1]
        numbers = numbers.expand(shape[0], -1)
        return Interval(0, numbers.gather(1, rows.expand(shape)), True)
    return Interval(0, numbers[np.arange(len(numbers))[:, None], rows], True)


def _documents(mask: Document, call: Call, q: Any) -> Interval:
    """From the first to the last token of each query's document: a run where none lies between."""
    key_ids = mask.ids if mask.key_ids is None else mask.key_ids
    if isinstance(q, Tensor) or not (can_look_at(mask.ids) and can_look_at(key_ids)):
        return _everything(call, False)
    first = mask.first_query
    if isinstance(first, Tensor):
        index = (torch.from_numpy(x) for x in (np.arange(len(first))[:, None], q))
        places = rows_of("Document(ids)", mask.ids.shape[-1], first, *index).numpy()
    else:
        places = q if first is None else q - first
    of_keys, ids = (np.atleast_2d(x.numpy()) for x in (key_ids, mask.ids))
    asked = ids[np.arange(len(ids))[:, None], places]
    found = [
        _ends(of_keys[n % len(of_keys), : call.k_len], asked[n % len(asked)])
        for n in range(max(len(of_keys), len(asked)))
    ]
    if not found:
        return _everything(call, True)
    low, high = (np.stack([one[end] for one in found]) for end in (0, 1))
    return Interval(low, high, all(is_run for *_, is_run in found))


def _ends(names: Numbers, asked: Numbers) -> tuple[Numbers, Numbers, bool]:
    """Where the names that are as asked begin and end, and whether no other lies between."""
    if not len(names):
        return np.zeros_like(asked), np.zeros_like(asked), True
    edges = np.flatnonzero(names[1:] != names[:-1]) + 1
    starts, stops = np.append(0, edges), np.append(edges, len(names))
    order = names[starts].argsort(kind="stable")  # of one name the first run comes first
    known = names[starts][order]
    low = starts[order][np.searchsorted(known, known)]
    high = stops[order][np.searchsorted(known, known, "right") - 1]
    at = np.searchsorted(known, asked).clip(max=len(known) - 1)
    found = known[at] == asked
    is_run = (known[at] == known[(at + 1).clip(max=len(known) - 1)]) & (at + 1 < len(known))
    return np.where(found, low[at], 0), np.where(found, high[at], 0), not is_run[found].any()
