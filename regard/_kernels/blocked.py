"""Attention on a CPU by blocks of queries and keys, in float32, forward and backward.

The weights are a softmax of the scores, or a sigmoid of each; scores may be capped and biased, and
weights dropped.

The loops are compiled by Numba (`pip install "regard[cpu]"`) when they are first needed. A task is
a block of queries, or a piece of a head, whatever the number of threads: so the result is the same.
"""

from ctypes import c_int64
from math import e, log2
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from regard._kernels.in_memory import in_one_piece
from regard._kernels.installed import loops
from regard._kernels.slices import in_slices

QUERIES = 128
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
    """What becomes of a dot product before it is a weight, but for a bias.

    It is multiplied by a scale above zero; where there is a cap above zero, `cap tanh(score / cap)`
    is the score, before a bias is added or after it; and weights are a softmax, or a sigmoid.
    """

    scale: float
    cap: float = 0.0
    is_sigmoid: bool = False
    caps_last: bool = False

    @property
    def numbers(self) -> tuple[float, float, float]:
        """The scale, and what is multiplied by within the cap and by the cap, in powers of two."""
        within = 0.0
        if self.cap:  # what was biased is in powers of two already
            within = 1.0 / (self.cap * _LOG2_E) if self.caps_last else self.scale / self.cap
        return self.scale * _LOG2_E, within, self.cap * _LOG2_E


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


class Relative(NamedTuple):
    """What is added to scores: `factor (query · row)`, with the row of the pair's distance.

    Args:
        query: float32 `[B, H, Q, D]`, each vector in one piece.
        rows: float32 `[B or 1, H or 1, Q + K - 1, D]`, that of the last query and the first key
            first.
    """

    query: Tensor
    rows: Tensor
    factor: float


class Weighed(NamedTuple):
    """The output, and what tells its weights: each query's largest score and their sum."""

    output: Tensor
    tops: Tensor
    sums: Tensor


def forward(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, relative: Relative | None,
    between: Between, dropping: Dropping, spans: Spans,
) -> Weighed:  # fmt: skip
    """`dropout(softmax(scale q k^T + relative + bias)) v` over the keys that each query sees.

    Vectors are in one piece.

    Args:
        bias: float32, `[B or 1, H or 1, Q or 1, K]` by pairs with its rows in one piece, or
            `[B or 1, H or 1, Q + K - 1]` by distance, from `q - k = 1 - K` on.
    """
    batch, heads, q_len, width = query.shape
    value_width = value.shape[3]
    output = query.new_empty(batch, q_len, heads, value_width).transpose(1, 2)  # as SDPA gives it
    tops, sums = (query.new_empty(batch, heads, q_len) for _ in range(2))
    ends = spans.ends.expand(2, batch, q_len)
    strides = _strides(query, key, value, output, ends)
    added = _read(bias, batch, heads, q_len)
    far, table, _ = _tables(relative, batch, heads)
    sizes = [
        *_sizes(query, key, value), *strides, *_form(between, added, dropping),
        *_reach(far, table),
    ]  # fmt: skip
    in_slices(
        loops("blocked_forward").forward,
        output.data_ptr(), tops.data_ptr(), sums.data_ptr(), query.data_ptr(), key.data_ptr(),
        value.data_ptr(), _address(added), _address(far), _address(table),
        (c_int64 * len(sizes))(*sizes), ends.data_ptr(), *between.numbers,
        0.0 if relative is None else relative.factor * _LOG2_E,
        outputs=batch * heads * -(-q_len // QUERIES),
        size=2 * heads * spans.pairs * (width + value_width) // _PER_BYTE,
    )  # fmt: skip
    return Weighed(output, tops, sums)


def backward(
    upstream: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None,
    relative: Relative | None, found: Weighed, between: Between, dropping: Dropping, spans: Spans,
    learns_bias: bool,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients to query, key, value, to a bias that learns, and to both of a `Relative`."""
    loop, columns = loops("blocked_backward").backward, loops("tiles").COLUMNS
    batch, heads, q_len, width = query.shape
    k_len, value_width = value.shape[2:]
    learning = bias if learns_bias else None
    shared = _sharing(learning, relative, batch, heads)
    tasks = batch * heads // max(1, shared[0] * shared[1])
    pieces = max(1, min(-(-PIECES // max(1, tasks)), -(-q_len // (4 * QUERIES))))
    upstream = in_one_piece(upstream)
    dq = _empty_like(query)
    dk, dv = (
        query.new_zeros(batch, heads, pieces, k_len, -(-columns_of // columns) * columns)
        for columns_of in (width, value_width)
    )
    grown, of_bias = _growing(learning, query, k_len, pieces)
    far, table, rows = _tables(relative, batch, heads, whole=True)
    dfar, dtable = None, None
    if relative is not None:
        assert rows is not None
        dfar = _empty_like(relative.query)
        dtable = rows.new_zeros(*relative.rows.shape[:2], pieces, *rows.shape[2:])
    ends = spans.ends.expand(2, batch, q_len)
    strides = _strides(query, key, value, upstream, found.output, dq, ends)
    added = _read(bias, batch, heads, q_len)
    sizes = [
        *_sizes(query, key, value), *strides, pieces, *_form(between, added, dropping),
        *_reach(far, table), *_steps(rows, 2), *of_bias, *shared,
        *_steps(None if dtable is None else dtable.expand(batch, heads, -1, -1, -1), 3),
        *_steps(dfar, 3),
    ]  # fmt: skip
    scale, *cap = between.numbers
    factor = 0.0 if relative is None else relative.factor
    in_slices(
        loop, dq.data_ptr(), dk.data_ptr(), dv.data_ptr(), grown.data_ptr(), _address(dfar),
        _address(dtable), upstream.data_ptr(), found.output.data_ptr(), found.tops.data_ptr(),
        found.sums.data_ptr(), query.data_ptr(), key.data_ptr(), value.data_ptr(), _address(added),
        _address(far), _address(table), _address(rows), (c_int64 * len(sizes))(*sizes),
        ends.data_ptr(), scale, between.scale, *cap, factor * _LOG2_E, factor,
        outputs=tasks * pieces,
        size=5 * heads * spans.pairs * (width + value_width) // _PER_BYTE,
    )  # fmt: skip
    dbias = None if learning is None else _grown(grown, learning)
    if relative is not None and dtable is not None:
        _, _, distances, depth = relative.rows.shape
        dtable = dtable.sum(2) if pieces > 1 else dtable[:, :, 0]
        dtable = dtable[:, :, columns : columns + distances, :depth]
    return dq, summed(dk, key), summed(dv, value), dbias, dfar, dtable


def _sharing(
    bias: Tensor | None, relative: Relative | None, batch: int, heads: int
) -> tuple[int, int]:
    """How many sequences and heads share something that learns, and so must be one task."""
    learn = [] if relative is None else [relative.rows]
    learn += [bias] if bias is not None and bias.ndim == 4 else []
    of_batch, of_heads = (any(x.shape[axis] == 1 for x in learn) for axis in (0, 1))
    return batch if of_batch else 1, heads if of_heads else 1


def _growing(
    bias: Tensor | None, query: Tensor, k_len: int, pieces: int
) -> tuple[Tensor, list[int]]:
    """Zeros where the gradient of a bias grows; whether there is one, and how far its parts are.

    That of a bias by distance has a part for each piece of every head, with a margin on both sides
    of the distances that there are; that of one by pairs has what the bias has, and a part for each
    piece if queries share it.
    """
    if bias is None:
        return query.new_empty(0), [0] * 6
    batch, heads, q_len, _ = query.shape
    if bias.ndim == 3:
        row = -(-q_len // QUERIES) * QUERIES + k_len + 2 * loops("vectors").LANES
        return query.new_zeros(batch, heads, pieces, row), [1, row, 0, 0, 0, 0]
    of_batch, of_heads, rows, _ = bias.shape
    own = 1 if rows == q_len else pieces
    grown = query.new_zeros(of_batch, of_heads, own, rows, k_len)
    steps = grown.expand(batch, heads, pieces, rows, k_len).stride()
    return grown, [1, 0, k_len if rows == q_len else 0, *steps[:3]]


def _tables(
    relative: Relative | None, batch: int, heads: int, *, whole: bool = False
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The queries, and the rows for every head with zeros around: turned, and as they are."""
    if relative is None:
        return None, None, None
    kinds, columns = loops("relative"), loops("tiles").COLUMNS
    count, depth = relative.rows.shape[2:]
    margins = columns, kinds.DISTANCES + 1
    pad = torch.nn.functional.pad
    table = pad(relative.rows.mT, margins).contiguous().expand(batch, heads, -1, -1)
    if not whole:
        return relative.query, table, None
    rows = pad(relative.rows, (0, -depth % columns, *margins)).contiguous()
    return relative.query, table, rows.expand(batch, heads, -1, -1)


def _reach(far: Tensor | None, table: Tensor | None) -> list[int]:
    """How many numbers the vectors of distances have, and how far one is from the next."""
    if far is None or table is None:
        return [0] * 7
    return [far.shape[3], *_steps(far, 3), *_steps(table, 3)]


def _steps(tensor: Tensor | None, count: int) -> list[int]:
    return [0] * count if tensor is None else [*tensor.stride()[:count]]


def _grown(grown: Tensor, bias: Tensor) -> Tensor:
    if bias.ndim == 4:
        return grown[:, :, 0] if grown.shape[2] == 1 else grown.sum(2)
    margin = loops("vectors").LANES
    return grown.sum(2)[..., margin : margin + bias.shape[-1]].sum_to_size(bias.shape)


def _read(bias: Tensor | None, batch: int, heads: int, q_len: int) -> Tensor | None:
    """A bias for every head; by distance with zeros behind, for as far as a panel is read."""
    if bias is None:
        return None
    if bias.ndim == 3:
        bias = torch.nn.functional.pad(bias, (0, -q_len % QUERIES))
        return bias.expand(batch, heads, -1)
    return bias.expand(batch, heads, q_len, -1)


def _form(between: Between, bias: Tensor | None, dropping: Dropping) -> list[int]:
    """What weights are, what kind of bias there is and its strides, and what is dropped."""
    kinds = loops("between")
    of_bias = [kinds.NO_BIAS, 0, 0, 0]
    if bias is not None:
        kind = kinds.BY_DISTANCE if bias.ndim == 3 else kinds.BY_PAIR
        of_bias = [kind, *bias.stride()[:2], bias.stride(2)]
    caps_last = between.cap > 0 and between.caps_last
    return [between.is_sigmoid, *of_bias, caps_last, dropping.kept, OUT_OF, dropping.seed]


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _empty_like(vectors: Tensor) -> Tensor:
    """As large, and each vector in one piece: where some overlap, PyTorch would turn them."""
    found = torch.empty_like(vectors)
    if found.stride(-1) == 1:
        return found
    return torch.empty_like(vectors, memory_format=torch.contiguous_format)


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
