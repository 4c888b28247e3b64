"""Attention on a CPU by blocks of queries and keys, in float32, forward and backward.

The weights are a softmax of the scores, or a sigmoid of each; scores may go through links, and
weights be dropped.

The loops are compiled by Numba (`pip install "regard[cpu]"`) when they are first needed. A task is
a block of queries, or a piece of a head, whatever the number of threads: so the result is the same.
"""

from collections.abc import Sequence
from ctypes import c_int64
from math import e, log2
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from regard._kernels.in_memory import in_one_piece
from regard._kernels.installed import loops
from regard._kernels.link_records import QUERIES as QUERIES
from regard._kernels.link_records import (
    Size,
    empty_like,
    gradients_of,
    records_of,
    records_with_gradients,
    sharing,
)
from regard._kernels.links import Link
from regard._kernels.slices import in_slices

PIECES = 8
"""Tasks of a backward pass from which on heads are not cut into pieces."""

_LOG2_E = log2(e)
_PER_BYTE = 8
"""Operations that take as long as reading a byte."""


class Spans(NamedTuple):
    """Which keys each query sees: its first one and the end of them, within those that there are.

    `ends` is int32 `[2, batch or 1, q_len or 1]`, `pairs` how many a head has of them.
    """

    ends: Tensor
    pairs: int

    @classmethod
    def of(cls, ends: Tensor, batch: int, q_len: int) -> "Spans":
        """Count the pairs."""
        low, high = ends.numpy()
        alike = batch * q_len // max(1, low.size)
        return cls(ends, int(np.maximum(high - low, 0).sum(dtype=np.int64)) * alike)


class Between(NamedTuple):
    """What becomes of a dot product before it is a weight, but for the tensors that it meets.

    It is multiplied by a scale above zero, goes through the links in their order, and weights are a
    softmax, or a sigmoid.
    """

    scale: float
    is_sigmoid: bool = False

    def left_after(self, links: Sequence[Link]) -> float:
        """What scores are multiplied by after the links: a weight is two to the power of that."""
        return _LOG2_E if links else self.scale * _LOG2_E


OUT_OF = 1 << 16
"""Numbers that 16 random bits may be."""


class Dropping(NamedTuple):
    """Which weights are dropped: of a seed, and `kept` of `OUT_OF` stay, on average."""

    seed: int = 0
    kept: int = OUT_OF

    @property
    def larger(self) -> float:
        """What weights that stay are multiplied by."""
        return OUT_OF / self.kept if self.kept else 0.0


def kept_pairs(like: Tensor, k_len: int, dropping: Dropping) -> Tensor:
    """Whether each weight of such queries stays, bool `[B, H, Q, K]`."""
    batch, heads, q_len, _ = like.shape
    out = torch.empty(batch, heads, q_len, k_len, dtype=torch.bool)
    in_slices(
        loops("kept_pairs").kept_pairs, out.data_ptr(), q_len, k_len, dropping.seed, dropping.kept,
        outputs=batch * heads, size=out.numel(),
    )  # fmt: skip
    return out


class Weighed(NamedTuple):
    """The output, and what tells its weights: each query's largest score and their sum."""

    output: Tensor
    tops: Tensor
    sums: Tensor


def forward(
    query: Tensor, key: Tensor, value: Tensor, links: Sequence[Link], between: Between,
    dropping: Dropping, spans: Spans,
) -> Weighed:  # fmt: skip
    """`dropout(softmax(links(scale q k^T))) v` over the keys that each query sees.

    Vectors are in one piece.
    """
    batch, heads, q_len, width = query.shape
    value_width = value.shape[3]
    output = query.new_empty(batch, q_len, heads, value_width).transpose(1, 2)  # as SDPA gives it
    tops, sums = (query.new_empty(batch, heads, q_len) for _ in range(2))
    ends = spans.ends.expand(2, batch, q_len)
    records = records_of(links, Size(batch, heads, q_len, key.shape[2]), between.scale)
    sizes = [
        *_sizes(query, key, value), *_strides(query, key, value, output, ends),
        between.is_sigmoid, dropping.kept, OUT_OF, dropping.seed, records.links,
    ]  # fmt: skip
    in_slices(
        loops("blocked_forward").forward,
        output.data_ptr(), tops.data_ptr(), sums.data_ptr(), query.data_ptr(), key.data_ptr(),
        value.data_ptr(), records.rows, records.numbers, (c_int64 * len(sizes))(*sizes),
        ends.data_ptr(), between.left_after(links),
        outputs=batch * heads * -(-q_len // QUERIES),
        size=2 * heads * spans.pairs * (width + value_width) // _PER_BYTE,
    )  # fmt: skip
    return Weighed(output, tops, sums)


def backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, links: Sequence[Link],
    found: Weighed, between: Between, dropping: Dropping, spans: Spans, learns: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    """The gradients to query, key, value, and to what of the links' tensors `learns`.

    Both of a `Relative` always do.
    """
    columns = loops("tiles").COLUMNS
    batch, heads, q_len, width = query.shape
    k_len, value_width = value.shape[2:]
    size = Size(batch, heads, q_len, k_len)
    shared = sharing(links, learns, size)
    tasks = batch * heads // max(1, shared[0] * shared[1])
    pieces = max(1, min(-(-PIECES // max(1, tasks)), -(-q_len // (4 * QUERIES))))
    size = size._replace(pieces=pieces)
    upstream = in_one_piece(upstream)
    dq = empty_like(query)
    dk, dv = (
        query.new_zeros(batch, heads, pieces, k_len, -(-columns_of // columns) * columns)
        for columns_of in (width, value_width)
    )
    records, grown = records_with_gradients(links, learns, size, between.scale)
    ends = spans.ends.expand(2, batch, q_len)
    sizes = [
        *_sizes(query, key, value),
        *_strides(query, key, value, upstream, found.output, dq, ends), pieces,
        between.is_sigmoid, dropping.kept, OUT_OF, dropping.seed, records.links, *shared,
    ]  # fmt: skip
    in_slices(
        loops("blocked_backward").backward, dq.data_ptr(), dk.data_ptr(), dv.data_ptr(),
        upstream.data_ptr(), found.output.data_ptr(), found.tops.data_ptr(),
        found.sums.data_ptr(), query.data_ptr(), key.data_ptr(), value.data_ptr(), records.rows,
        records.numbers, (c_int64 * len(sizes))(*sizes), ends.data_ptr(), between.scale,
        between.left_after(links),
        outputs=tasks * pieces,
        size=5 * heads * spans.pairs * (width + value_width) // _PER_BYTE,
    )  # fmt: skip
    return [dq, summed(dk, key), summed(dv, value), *gradients_of(links, grown, size)]


def summed(parts: Tensor, like: Tensor) -> Tensor:
    """The pieces and the query heads of each key/value head, summed in their order."""
    batch, kv_heads, k_len, width = like.shape
    count = parts.shape[1] * parts.shape[2] // max(1, kv_heads)
    parts = parts.view(batch, kv_heads, count, k_len, parts.shape[4])
    summed = parts[:, :, 0] if count == 1 else parts.sum(2)
    return summed[..., :width]


def _sizes(query: Tensor, key: Tensor, value: Tensor) -> list[int]:
    heads, kv_heads = query.shape[1], key.shape[1]
    lengths = query.shape[2], key.shape[2]
    return [heads, heads // max(1, kv_heads), *lengths, query.shape[3], value.shape[3]]


def _strides(*tensors: Tensor) -> list[int]:
    return [step for tensor in tensors for step in tensor.stride()[:3]]
