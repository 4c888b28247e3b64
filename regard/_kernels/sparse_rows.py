"""Weighted sums over the few keys that get weight, and their gradients, by loops of our own.

Scores of some queries are made by one product and stay in the processor's cache while the
keys with weight are found. These are kept, and all that follows touches them only. Each sum is
taken by one thread in one order, so that the result does not depend on how many there are.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard._kernels.installed import loops
from regard._kernels.slices import in_slices

SCORES = 1 << 20
"""Scores of so many pairs at once: what stays in the cache, yet is worth a call."""

_PER_BYTE = 4
"""Operations that take as long as reading a byte."""

Piece = tuple[int, int, int, int]
"""Queries `start..stop`, and the keys `first..last` that they meet."""
Finish = Callable[[Tensor, slice, Piece], Tensor]
"""Of scores `[heads, shared, queries, keys]` of these key heads those that are normalized."""


class Rule(NamedTuple):
    """How weights follow from scores: a loop, its number, and the power a weight's slope is."""

    loop: str
    number: float
    power: float | None
    """None where scores have no gradient."""

    @classmethod
    def of(cls, alpha: float, most: int) -> "Rule":
        """Entmax of an alpha, else softmax over so many keys, else the best key: 0 is none."""
        if alpha:
            return cls("entmax_rows", alpha, 2.0 - alpha)
        return cls("top_rows", most, 1.0) if most else cls("hard_rows", 0.0, None)


class Kept(NamedTuple):
    """The keys with weight: row i has `counts[i]` of them, from `starts[i]` on."""

    weights: Tensor
    places: Tensor
    starts: Tensor
    counts: Tensor


def attended(
    query: Tensor, key: Tensor, value: Tensor, scale: float, pieces: Sequence[Piece], rule: Rule,
    finish: Finish, keeps: bool, by_tiles: bool,
) -> tuple[Tensor, Kept]:  # fmt: skip
    """The output `[heads, shared, Q, V]` of queries `[heads, shared, Q, D]`, and what has weight.

    Keys are `[heads, K, D]`, values `[heads, K, V]`: contiguous and float32, as are the queries.
    Nothing has weight where that is not asked for; the scores' product is PyTorch's or our own.
    """
    heads, shared, q_len, _ = query.shape
    output = query.new_zeros(heads, shared, q_len, value.shape[-1])
    counts = torch.zeros(heads, shared, q_len, dtype=torch.int64)
    starts, found, size = torch.zeros_like(counts), [], 0
    number = torch.tensor([rule.number], dtype=torch.float64)
    for piece in pieces:
        start, stop, first, last = piece
        rows, width = stop - start, last - first
        if width == 0:
            continue
        step = max(1, SCORES // (shared * rows * width))
        for begin in range(0, heads, step):
            some = slice(begin, min(begin + step, heads))
            scores = _scores(query[some, :, start:stop], key[some, first:last], scale, by_tiles)
            scores = finish(scores, some, piece).contiguous()
            places = torch.empty(scores.shape, dtype=torch.int32)
            many = torch.empty(scores.shape[:-1], dtype=torch.int64)
            total = many.numel()
            in_slices(
                getattr(loops("sparse_loops"), rule.loop), scores.data_ptr(), places.data_ptr(),
                many.data_ptr(), number.data_ptr(), total, width,
                outputs=total, size=4 * scores.numel(),
            )  # fmt: skip
            in_slices(
                loops("sparse_sums").weighted_rows, output[begin].data_ptr(), scores.data_ptr(),
                places.data_ptr(), many.data_ptr(), value[begin].data_ptr(), rows, width, q_len,
                start, key.shape[1], first, shared, value.shape[-1],
                outputs=total, size=4 * scores.numel(),
            )  # fmt: skip
            if not keeps:
                continue
            one = _packed(scores, places, many, first)
            counts[some, :, start:stop] = many
            starts[some, :, start:stop] = one.starts + size
            found.append(one)
            size += len(one.weights)
    weights = torch.cat([query.new_empty(0), *(one.weights for one in found)])
    at = torch.cat([torch.empty(0, dtype=torch.int32), *(one.places for one in found)])
    return output, Kept(weights, at, starts, counts)


def _scores(query: Tensor, key: Tensor, scale: float, by_tiles: bool) -> Tensor:
    """`scale q k^T`, of the queries `[heads, shared, rows, D]` that share keys."""
    heads, shared, rows, width = query.shape
    keys = key.shape[1]
    found = query.new_empty(heads, shared * rows, keys)
    # The scale is applied afterwards: rounded queries would be other ones.
    if by_tiles:
        query = query.flatten(1, 2).contiguous()
        in_slices(
            loops("sparse_scores").scores, found.data_ptr(), query.data_ptr(), key.data_ptr(),
            scale, shared * rows, keys, query.stride(0), key.stride(0), width,
            outputs=heads * -(-keys // loops("tiles").COLUMNS),
            size=found.numel() * width // _PER_BYTE,
        )  # fmt: skip
        return found.view(heads, shared, rows, -1)
    torch.bmm(query.flatten(1, 2), key.mT, out=found)
    return (found if scale == 1.0 else found.mul_(scale)).view(heads, shared, rows, -1)


def _packed(scores: Tensor, places: Tensor, counts: Tensor, first: int) -> Kept:
    """What has weight in these rows, one behind the other."""
    ends = counts.flatten().cumsum(0)
    starts, size = (ends - counts.flatten()).view(counts.shape), int(ends[-1])
    weights = scores.new_empty(size)
    packed = Kept(weights, torch.empty(size, dtype=torch.int32), starts, counts)
    in_slices(
        loops("sparse_sums").packed_rows,
        weights.data_ptr(), packed.places.data_ptr(), scores.data_ptr(),
        places.data_ptr(), starts.data_ptr(), counts.data_ptr(), scores.shape[-1], first,
        outputs=counts.numel(), size=8 * size,
    )  # fmt: skip
    return packed


def products(query: Tensor, key: Tensor, kept: Kept) -> Tensor:
    """The dot products of queries with the keys that have weight for them."""
    found = query.new_empty(len(kept.weights))
    _by_heads(loops("sparse_sums").products, found, query, key, kept, query.shape, key.shape[1])
    return found


def sums_to_keys(change: Tensor, query: Tensor, key: Tensor, kept: Kept) -> Tensor:
    """The gradient of keys, given that of their products with queries."""
    found = torch.zeros_like(key)
    _by_heads(
        loops("sparse_sums").sums_to_keys, found, change, query, kept, query.shape, key.shape[1]
    )
    return found


def sums_to_queries(change: Tensor, query: Tensor, key: Tensor, kept: Kept) -> Tensor:
    """The gradient of queries, given that of their products with keys."""
    found = torch.empty_like(query)
    _by_heads(
        loops("sparse_sums").sums_to_queries, found, change, key, kept, query.shape, key.shape[1]
    )
    return found


def changes_of_scores(change: Tensor, kept: Kept, power: float) -> Tensor:
    """The gradient of scores, in the place of that of weights."""
    number = torch.tensor([power], dtype=torch.float64)
    in_slices(
        loops("sparse_sums").changes_of_scores, change.data_ptr(), kept.weights.data_ptr(),
        kept.starts.data_ptr(), kept.counts.data_ptr(), number.data_ptr(), len(change),
        outputs=kept.counts.numel(), size=8 * len(change),
    )  # fmt: skip
    return change


def _by_heads(
    loop: Any, out: Tensor, one: Tensor, other: Tensor, kept: Kept, shape: torch.Size, keys: int
) -> None:
    heads, shared, q_len, wide = shape
    in_slices(
        loop, out.data_ptr(), one.data_ptr(), other.data_ptr(), kept.places.data_ptr(),
        kept.starts.data_ptr(), kept.counts.data_ptr(), len(kept.weights), shared * q_len, keys,
        wide, outputs=heads, size=4 * wide * len(kept.weights),
    )  # fmt: skip
