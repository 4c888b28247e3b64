"""Documents in one row: each meets itself alone, so cost grows with the squares of their lengths.

A mask that keeps documents apart (`Document`, or it and anything else) leaves most of the q × k
matrix forbidden. Each document is a call of PyTorch's kernel by itself, documents of one length
that stand side by side are one call. Where the pieces of a document do not stand together, its
tokens are brought together first. What else the mask says decides within a document. Where the
documents lie is read off their ids, so nothing is served here that cannot be looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from regard._backends import _dot
from regard._backends._call import Call, label
from regard._backends._cost import Cost, fused_cost, mask_work
from regard._backends._rates import Rates
from regard._backends._rewriting import is_additive
from regard._backends._structure import conjuncts
from regard._torch_private import can_look_at, surely
from regard.masks import Causal, Document

CUTTING = 16  # operations before the first document is met
STEPS = 7  # operations for each call of the kernel: its slices, and their place in the output


masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False


@dataclass(frozen=True)
class Row:
    """The documents of a row in order, as `(count, length)` where so many of one length follow.

    `order` has the place of each token once those of a document stand together; None is as it is.
    """

    order: Tensor | None
    groups: list[tuple[int, int]]

    @property
    def pairs(self) -> int:
        """How many pairs of tokens share a document."""
        return sum(count * length * length for count, length in self.groups)


def refusals(call: Call) -> Iterator[str]:
    """No documents, or none whose places can be read, or something SDPA cannot do within one."""
    mask = _document(call)
    if mask is None:
        yield "no mask keeps documents apart"
    elif mask.key_ids is not None:
        yield "its queries and keys are numbered apart"
    elif not can_look_at(mask.ids):
        yield "where documents begin cannot be read here: on a CPU it can, outside of a trace"
    if not (call.offset_is_shared and surely(call.q_offset == 0)) or call.q_len != call.k_len:
        yield "its queries are not the tokens that its keys are"
    if not is_additive(call):
        yield f"score_mod {label(call.score_mod)} is not a bias added to the score"
    yield from _dot.refusals(call)


def reservations(call: Call) -> Iterator[str]:
    return iter(())


def keeps_apart(call: Call) -> bool:
    """Whether no forbidden pair is met: documents are all that the mask says."""
    return not _within(call)


def seconds(call: Call, rates: Rates) -> float:
    """What the pieces take, each a call of the kernel."""
    rows = _rows(call)
    pairs, pieces = sum(row.pairs for row in rows), sum(len(row.groups) for row in rows)
    shared = call.query.shape[0] if len(rows) == 1 else 1  # sequences that are cut alike
    documents = max(1, sum(count for row in rows for count, _ in row.groups))
    masked, steps, numbers = 0, CUTTING + pieces * STEPS, 4 * call.query.numel()
    if call.score_mod is not None or not _is_triangle(call):
        more, written = mask_work(call, pairs)
        masked, steps, numbers = pairs, steps + pieces * more, numbers + written
    mean = call.q_len * len(rows) // documents
    one = call.where(query=call.query[:shared])
    return _dot.seconds(one, rates, pairs, steps, masked=masked, numbers=numbers, rows=mean)


def cost(call: Call) -> Cost:
    rows = _rows(call)
    pairs = sum(row.pairs for row in rows) // max(1, len(rows))
    return fused_cost(call, pairs, extra_bytes=call.query.numel() * call.query.element_size())


def run(call: Call) -> Tensor:
    query, key, value, scale = _dot.fit(call)
    if 0 in query.shape:
        return _dot.unfit(call, _dot.attend(query, key, value, scale, grouped=True))
    rows = _rows(call)
    size = query.shape[0] if len(rows) == 1 else 1  # sequences that are cut alike
    cut = zip(*(x.split(size) for x in (query, key, value)), strict=True)
    found = [
        _row(call, row, near, scale, slice(index * size, (index + 1) * size))
        for index, (row, near) in enumerate(zip(rows, cut, strict=True))
    ]
    return _dot.unfit(call, torch.cat(found) if len(found) > 1 else found[0])


def _document(call: Call) -> Document | None:
    """The first of the masks that keeps documents apart."""
    return next((mask for mask in conjuncts(call.mask) if type(mask) is Document), None)


def _within(call: Call) -> list[object]:
    """What the mask says besides."""
    mask = _document(call)
    return [one for one in conjuncts(call.mask) if one is not mask]


def _is_triangle(call: Call) -> bool:
    """Whether a document needs no mask but the triangle that kernels know without a tensor."""
    return all(type(mask) is Causal for mask in _within(call))


def _rows(call: Call) -> list[Row]:
    """The documents of each sequence; of one, where all are cut alike."""
    mask = _document(call)
    assert mask is not None
    ids = mask.ids[..., : call.k_len].long()
    return [_cut(row) for row in (ids if ids.ndim == 2 else ids[None])]


def _cut(ids: Tensor) -> Row:
    """Where the documents lie in one row of ids."""
    names, lengths = torch.unique_consecutive(ids, return_counts=True)
    order = None
    if len(set(names.tolist())) < len(names):
        ids, order = ids.sort(stable=True)
        lengths = torch.unique_consecutive(ids, return_counts=True)[1]
    found = [(len(list(same)), length) for length, same in groupby(lengths.tolist())]
    return Row(order, found)


def _row(call: Call, row: Row, tensors: tuple[Tensor, ...], scale: float, batch: slice) -> Tensor:
    """The output of sequences that are cut alike, document by document."""
    if row.order is not None:
        tensors = tuple(x.index_select(2, row.order) for x in tensors)
    sizes = [count * length for count, length in row.groups]
    places = torch.arange(call.q_len) if row.order is None else row.order
    # `split` and not slices: its gradient is one tensor, that of a slice as large as all of them.
    cut = zip(*(x.split(sizes, 2) for x in tensors), places.split(sizes), row.groups, strict=True)
    found = [_group(call, near, place, count, scale, batch) for *near, place, (count, _) in cut]
    # Tokens before heads, which is how the kernel leaves its output: nothing is moved twice.
    output = torch.cat([one.transpose(1, 2) for one in found], 1)
    if row.order is not None:
        output = output.index_select(1, row.order.argsort())
    return output.transpose(1, 2)


def _group(
    call: Call, near: list[Tensor], place: Tensor, count: int, scale: float, batch: slice
) -> Tensor:
    """Documents of one length side by side, `[B, H, count · L, D]`, as one call of the kernel."""
    mask, is_causal = None, False
    if call.score_mod is not None or not _is_triangle(call):
        mask = _mask(call, place.unflatten(0, (count, -1)), batch)
    else:
        is_causal = bool(_within(call))
    if mask is not None and mask.dtype != torch.bool:
        near = [x.to(mask.dtype) for x in near]
    sequences = near[0].shape[0]
    if count > 1:
        near = [x.unflatten(2, (count, -1)).transpose(1, 2).flatten(0, 1) for x in near]
    query, key, value = near
    output = _dot.attend(
        query, key, value, scale,
        grouped=_dot.is_grouped(call), mask=mask, is_causal=is_causal, dropout=call.dropout,
    )  # fmt: skip
    if count > 1:
        output = output.unflatten(0, (sequences, count)).transpose(1, 2).flatten(2, 3)
    return output


def _mask(call: Call, place: Tensor, batch: slice) -> Tensor:
    """What mask and bias say within documents of these places, `[B · count, …, L, L]`."""
    b, h, _, _ = call.indices
    sequences = b[batch].repeat_interleave(len(place), 0)
    place = place.repeat(len(b[batch]), 1)
    q, k = place[:, None, :, None], place[:, None, None, :]
    if call.score_mod is None:
        return call.permitted(sequences, h, q, k)
    return _dot.bias(call, (sequences, h, q, k))
