"""Links as loops read them: a row of whole numbers for each, addresses and strides, and two floats.

What a row says at which place is told here, to the loops too.
"""

import math
from collections.abc import Sequence
from ctypes import Array, c_float, c_int64
from typing import NamedTuple

import torch
from torch import Tensor

from regard._kernels.installed import loops
from regard._kernels.links import (
    BY_DISTANCE,
    BY_PAIR,
    BY_VECTORS,
    CAP,
    ByDistance,
    ByPair,
    Cap,
    Link,
    Relative,
    tensors_of,
)

KIND, DEPTH, READ, TABLE, GROWN, ROWS, OF_ROWS, RECORD = 0, 1, 2, 6, 10, 15, 18, 22
"""Where what a row says begins. An address is followed by its strides: of sequences and heads, of
pieces where gradients grow, and of queries or numbers.
"""

QUERIES = 128
"""Of a block."""


class Records(NamedTuple):
    """What loops are given, and the tensors that its addresses belong to."""

    rows: "Array[c_int64]"
    numbers: "Array[c_float]"
    held: list[Tensor]

    @property
    def links(self) -> int:
        """How many there are."""
        return len(self.rows) // RECORD


class Size(NamedTuple):
    """Of a call."""

    batch: int
    heads: int
    q_len: int
    k_len: int
    pieces: int = 1


def records_of(links: Sequence[Link], size: Size, scale: float) -> Records:
    """The links of a forward pass; what is before the first is multiplied by the scale."""
    rows, held = [], []
    for link in links:
        row, tensors = _row(link, size)
        rows += row
        held += tensors
    return Records((c_int64 * len(rows))(*rows), _numbers(links, scale), held)


def records_with_gradients(
    links: Sequence[Link], learns: Sequence[bool], size: Size, scale: float
) -> tuple[Records, list[Tensor | None]]:
    """The same for a backward pass, and zeros where the gradients to all tensors grow."""
    rows, held, grown, wanted = [], [], [], iter(learns)
    for link in links:
        row, tensors = _row(link, size)
        some = _growing(link, [next(wanted) for _ in tensors_of(link)], size)
        _grow(row, link, some, size)
        if isinstance(link, Relative):
            held.append(_whole_rows(link, row, size))
        rows += row
        held += tensors
        grown += some
    return Records((c_int64 * len(rows))(*rows), _numbers(links, scale), held), grown


def gradients_of(
    links: Sequence[Link], grown: Sequence[Tensor | None], size: Size
) -> list[Tensor | None]:
    """What has grown, summed over pieces and over all that share a tensor, as large as it is."""
    found, given = [], iter(grown)
    for link in links:
        for tensor in tensors_of(link):
            some = next(given)
            found.append(None if some is None else _summed(link, tensor, some, size))
    return found


def sharing(links: Sequence[Link], learns: Sequence[bool], size: Size) -> tuple[int, int]:
    """How many sequences and heads share something that learns, and so must be one task."""
    wanted, learned = iter(learns), []
    for link in links:
        wants = [next(wanted) for _ in tensors_of(link)]
        if isinstance(link, Relative):
            learned.append(link.rows)
        elif isinstance(link, ByPair) and wants[0]:
            learned.append(link.bias)
    of_batch, of_heads = (any(x.shape[axis] == 1 for x in learned) for axis in (0, 1))
    return size.batch if of_batch else 1, size.heads if of_heads else 1


def _numbers(links: Sequence[Link], scale: float) -> "Array[c_float]":
    """For each link what a score is multiplied by, and what is added to it or the cap."""
    found: list[float] = []
    for link in links:
        onto = link.factor if isinstance(link, Relative) else 1.0
        by = 1.0 if found else scale
        if isinstance(link, Cap):
            onto = float(link.cap)
            by = by / onto if onto else math.inf
        found += by, onto
    return (c_float * len(found))(*found)


def _row(link: Link, size: Size) -> tuple[list[int], list[Tensor]]:
    """What a forward pass reads."""
    row, (batch, heads, q_len, _, _) = [0] * RECORD, size
    if isinstance(link, Cap):
        row[KIND] = CAP
        return row, []
    if isinstance(link, ByDistance):  # zeros behind, for as far as a panel is read
        row[KIND] = BY_DISTANCE
        bias = torch.nn.functional.pad(link.bias, (0, -q_len % QUERIES)).expand(batch, heads, -1)
        row[READ : READ + 3] = bias.data_ptr(), *bias.stride()[:2]
        return row, [bias]
    if isinstance(link, ByPair):
        row[KIND] = BY_PAIR
        bias = link.bias.expand(batch, heads, q_len, -1)
        row[READ : READ + 4] = bias.data_ptr(), *bias.stride()[:3]
        return row, [bias]
    # The rows for every head, turned, with zeros around.
    depth, far = link.rows.shape[3], link.query
    table = torch.nn.functional.pad(link.rows.mT, _margins()).contiguous()
    table = table.expand(batch, heads, -1, -1)
    row[KIND], row[DEPTH] = BY_VECTORS, depth
    row[READ : READ + 4] = far.data_ptr(), *far.stride()[:3]
    row[TABLE : TABLE + 4] = table.data_ptr(), *table.stride()[:3]
    return row, [far, table]


def _margins() -> tuple[int, int]:
    return loops("tiles").COLUMNS, loops("relative").DISTANCES + 1


def _whole_rows(link: Relative, row: list[int], size: Size) -> Tensor:
    """The rows as they are, zeros around them, beside the others in their record."""
    pad = torch.nn.functional.pad
    rows = pad(link.rows, (0, -link.rows.shape[3] % loops("tiles").COLUMNS, *_margins()))
    rows = rows.contiguous().expand(size.batch, size.heads, -1, -1)
    row[ROWS : ROWS + 3] = rows.data_ptr(), *rows.stride()[:2]
    return rows


def _growing(link: Link, learns: list[bool], size: Size) -> list[Tensor | None]:
    """Where the gradients to a link's tensors grow, apart for each piece of each head.

    That of a bias by distance has a margin on both sides of the distances that there are; that of
    one by pairs is as large as the bias, and has a part for each piece only where queries share it.
    """
    batch, heads, q_len, k_len, pieces = size
    if isinstance(link, Relative):
        columns, (_, _, distances, depth) = loops("tiles").COLUMNS, link.rows.shape
        distances += sum(_margins())
        shape = *link.rows.shape[:2], pieces, distances, -(-depth // columns) * columns
        return [empty_like(link.query), link.rows.new_zeros(shape)]
    if not learns[0]:
        return [None]
    if isinstance(link, Cap):
        return [link.cap.new_zeros(batch, heads, pieces)]
    if isinstance(link, ByDistance):
        row = -(-q_len // QUERIES) * QUERIES + k_len + 2 * loops("vectors").LANES
        return [link.bias.new_zeros(batch, heads, pieces, row)]
    of_batch, of_heads, rows, _ = link.bias.shape
    own = 1 if rows == q_len else pieces
    return [link.bias.new_zeros(of_batch, of_heads, own, rows, k_len)]


def _grow(row: list[int], link: Link, grown: list[Tensor | None], size: Size) -> None:
    """Write where gradients grow into a link's record."""
    batch, heads, q_len, k_len, pieces = size
    one = grown[0]
    if isinstance(link, Relative):
        far, table = grown
        assert far is not None and table is not None
        row[GROWN : GROWN + 5] = far.data_ptr(), *far.stride()[:2], 0, far.stride(2)
        steps = table.expand(batch, heads, -1, -1, -1).stride()
        row[OF_ROWS : OF_ROWS + 4] = table.data_ptr(), *steps[:3]
    elif one is not None and isinstance(link, ByPair):
        rows = link.bias.shape[2]
        steps = one.expand(batch, heads, pieces, rows, k_len).stride()
        of_query = k_len if rows == q_len else 0
        row[GROWN : GROWN + 5] = one.data_ptr(), *steps[:3], of_query
    elif one is not None:
        row[GROWN : GROWN + 5] = one.data_ptr(), *one.stride()[:3], 0


def _summed(link: Link, tensor: Tensor, grown: Tensor, size: Size) -> Tensor:
    if isinstance(link, Cap):
        return grown.sum().reshape(tensor.shape)
    if isinstance(link, ByDistance):
        margin = loops("vectors").LANES
        found = grown.sum(2)[..., margin : margin + tensor.shape[-1]]
        return found.sum_to_size(tensor.shape)
    if isinstance(link, Relative) and tensor is link.query:
        return grown
    found = grown.sum(2) if grown.shape[2] > 1 else grown[:, :, 0]
    if isinstance(link, ByPair):
        return found
    first, (_, _, distances, depth) = _margins()[0], tensor.shape
    return found[:, :, first : first + distances, :depth]


def empty_like(vectors: Tensor) -> Tensor:
    """As large, and each vector in one piece: where some overlap, PyTorch would turn them."""
    found = torch.empty_like(vectors)
    if found.stride(-1) == 1:
        return found
    return torch.empty_like(vectors, memory_format=torch.contiguous_format)
