"""Windows: each block of queries meets only the keys it can see, so cost grows linearly.

A mask that bounds how far back and ahead a query looks (a window, or a window and anything else)
leaves most of the q × k matrix forbidden. Queries are cut into blocks; the keys a block can see are
a slice of fixed width, read in place through overlapping strides; the mask decides within the
slice. Blocks at either end, whose slice would stick out, share the first or the last slice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from regard._backends import sdpa
from regard._backends._call import Call, label, repeat_heads
from regard._backends._cost import Cost, fused_cost
from regard._backends._structure import is_relative, reach


@dataclass(frozen=True)
class Cut:
    """Queries cut into a head, `count` blocks of `rows`, and a tail; each meets `width` keys."""

    rows: int
    width: int
    head: int
    count: int
    first_key: int
    tail_key: int

    @property
    def tail(self) -> int:
        """The first query of the tail."""
        return self.head + self.count * self.rows


def refusals(call: Call) -> Iterator[str]:
    """No window to speak of, or something SDPA cannot do inside a block."""
    left, right = reach(call.mask)
    if left is None or right is None:
        yield "no mask bounds how far back and ahead a query may look"
    if call.score_mod is not None:
        yield f"score_mod {label(call.score_mod)} is not cut into blocks"
    yield from sdpa.refusals(call)


def is_worthwhile(call: Call) -> bool:
    """Whether the blocks leave out enough pairs to pay for cutting."""
    left, right = reach(call.mask)
    if left is None or right is None:
        return False
    return 2 * (block_rows(call) + left + right) < call.k_len


def cost(call: Call) -> Cost:
    pairs = call.q_len * cut(call).width
    shared = 1 if is_relative(call.mask) else call.query.shape[0]
    return fused_cost(call, pairs, extra_bytes=shared * pairs)


def block_rows(call: Call) -> int:
    """How many queries share a slice of keys."""
    return 128 if call.query.is_cuda else 32


def cut(call: Call) -> Cut:
    """Where the blocks lie for this call's window, lengths and offset."""
    left, right = reach(call.mask)
    assert left is not None and right is not None
    rows = block_rows(call)
    width = min(call.k_len, rows + left + right)
    # Block n wants keys from first + n · rows on; those before 0 and beyond the end do not exist.
    first = call.q_offset - left
    blocks_before_zero = max(0, -(first // rows)) if first < 0 else 0
    head = min(call.q_len, blocks_before_zero * rows)
    first_key = first + head
    inside = (call.k_len - width - first_key) // rows + 1 if first_key + width <= call.k_len else 0
    count = min(inside, (call.q_len - head) // rows)
    tail_key = max(0, min(first_key + count * rows, call.k_len - width))
    return Cut(rows, width, head, count, first_key, tail_key)


def run(call: Call) -> Tensor:
    query, key, value, scale = sdpa.fit(call)
    key, value = (repeat_heads(tensor, call.groups).contiguous() for tensor in (key, value))
    at = cut(call)

    def piece(rows: slice, first_key: int) -> Tensor:
        keys = slice(first_key, first_key + at.width)
        mask = _mask(call, rows, keys)
        near = query[:, :, rows], key[:, :, keys], value[:, :, keys]
        return sdpa.attend(call, *near, scale, mask, backend="banded")

    pieces = []
    if at.head > 0:
        pieces.append(piece(slice(0, at.head), 0))
    if at.count > 0:
        pieces.append(_interior(call, query, key, value, scale, at))
    if at.tail < call.q_len:
        pieces.append(piece(slice(at.tail, call.q_len), at.tail_key))
    output = torch.cat(pieces, dim=2) if pieces else query @ key.mT @ value  # no query: no row
    return sdpa.unfit(call, output)


def _mask(call: Call, rows: slice, keys: slice) -> Tensor:
    b, h, q, k = call.indices
    return call.permitted(b, h, q[:, :, rows], k[..., keys])


def _interior(
    call: Call, query: Tensor, key: Tensor, value: Tensor, scale: float, at: Cut
) -> Tensor:
    """All whole blocks in one SDPA call: `[B · H, blocks, rows, D]` against `[.., width, D]`."""
    blocks = query[:, :, at.head : at.tail].unflatten(2, (at.count, at.rows)).flatten(0, 1)
    stop = at.first_key + (at.count - 1) * at.rows + at.width
    keys, values = (
        tensor[:, :, at.first_key : stop].unfold(2, at.width, at.rows).mT.flatten(0, 1)
        for tensor in (key, value)
    )
    mask = _interior_mask(call, at)
    output = sdpa.attend(call, blocks, keys, values, scale, mask, backend="banded")
    return output.unflatten(0, query.shape[:2]).flatten(2, 3)


def _interior_mask(call: Call, at: Cut) -> Tensor:
    """The mask within the slices; one for all blocks where it depends on the distance alone."""
    b, h, _, _ = call.indices
    device = call.query.device
    shown = 1 if is_relative(call.mask) else at.count
    first = torch.arange(shown, device=device).view(1, 1, -1, 1, 1) * at.rows
    q = first + torch.arange(at.rows, device=device).view(-1, 1) + (at.head + call.q_offset)
    k = first + torch.arange(at.width, device=device) + at.first_key
    mask = call.permitted(b.unsqueeze(-1), h.unsqueeze(-1), q, k)
    if mask.shape[:2] != (1, 1):
        mask = mask.expand(*call.query.shape[:2], *mask.shape[2:])
    return mask.flatten(0, 1)
