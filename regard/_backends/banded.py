"""Windows: each block of queries meets only the keys it can see, so cost grows linearly.

A mask that bounds how far back and ahead a query looks (a window, or a window and anything else)
leaves most of the q × k matrix forbidden. Queries are cut into blocks; the keys a block can see are
a slice of fixed width, read in place through overlapping strides; the mask decides within the
slice. Blocks at either end, whose slice would stick out, share the first or the last slice. In a
graph recorded for any length, where they lie cannot be asked; there, all blocks are alike and the
keys are padded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends import _dot
from regard._backends._call import Call, label, repeat_heads
from regard._backends._cost import Cost, fused_cost, mask_work
from regard._backends._rates import Rates, rates_of
from regard._backends._structure import is_relative, reach
from regard._torch_private import is_static, surely


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


masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """No window to speak of, or something SDPA cannot do inside a block."""
    left, right = reach(call.mask)
    if left is None or right is None:
        yield "no mask bounds how far back and ahead a query may look"
    if call.score_mod is not None:
        yield f"score_mod {label(call.score_mod)} is not cut into blocks"
    if not call.offset_is_shared:
        yield "its blocks have one q_offset, not one for each sequence"
    yield from _dot.refusals(call)


def reservations(call: Call) -> Iterator[str]:
    """A graph for every length or window, or, where time is not known, too few pairs left out."""
    left, right = reach(call.mask)
    if left is None or right is None:
        return
    exported = torch.compiler.is_exporting() and not is_static(call.k_len)
    if exported or not (is_static(left) and is_static(right)):
        yield "blocks would bind a graph for every length or window to theirs"
    elif rates_of(call) is None and 2 * (block_rows(call) + left + right) >= call.k_len:
        yield "it would not leave out enough pairs to pay for cutting"


def seconds(call: Call, rates: Rates) -> float:
    """What the blocks and the two ends take, which are pieces of their own."""
    at = cut(call)
    ends, blocks = (at.head > 0) + (at.tail < call.q_len), at.count > 0
    shared = (at.count - 1) * at.rows if blocks and is_relative(call.mask) else 0
    steps, numbers = mask_work(call, (call.q_len - shared) * at.width)
    steps = (ends + blocks) * (steps + 6) + 20 * blocks
    if blocks:
        numbers += 3 * call.query.shape[:-1].numel() * call.value.shape[-1]
    pairs = call.q_len * at.width
    return _dot.seconds(
        call, rates, pairs, steps, masked=pairs, numbers=numbers, rows=block_rows(call)
    )


def cost(call: Call) -> Cost:
    pairs = call.q_len * cut(call).width
    shared = 1 if is_relative(call.mask) else call.query.shape[0]
    return fused_cost(call, pairs, extra_bytes=shared * pairs)


WIDE = 128  # keys from which on the gradients of shared slices cost more than pairs met in vain


def block_rows(call: Call) -> int:
    """How many queries share a slice of keys."""
    if call.query.is_cuda:
        return 128
    left, right = reach(call.mask)
    wide = left is not None and right is not None and surely(left + right >= WIDE)
    return 64 if wide and call.needs_grad else 32


def cut(call: Call) -> Cut:
    """Where the blocks lie for this call's window, lengths and offset."""
    left, right = reach(call.mask)
    assert left is not None and right is not None
    rows = block_rows(call)
    width = min(call.k_len, rows + left + right)
    # Block n wants keys from first + n · rows on; those before 0 and beyond the end do not exist.
    first = call.shared_offset - left
    blocks_before_zero = max(0, -(first // rows)) if first < 0 else 0
    head = min(call.q_len, blocks_before_zero * rows)
    first_key = first + head
    inside = (call.k_len - width - first_key) // rows + 1 if first_key + width <= call.k_len else 0
    count = min(inside, (call.q_len - head) // rows)
    tail_key = max(0, min(first_key + count * rows, call.k_len - width))
    return Cut(rows, width, head, count, first_key, tail_key)


def run(call: Call) -> Tensor:
    query, key, value, scale = _dot.fit(call)
    key, value = (repeat_heads(tensor, call.groups).contiguous() for tensor in (key, value))
    if is_static(call.q_len) and is_static(call.k_len):
        output = _in_place(call, query, key, value, scale)
    else:
        output = _padded(call, query, key, value, scale)
    return _dot.unfit(call, output)


def _in_place(call: Call, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Head, whole blocks and tail, their keys read where they are."""
    at = cut(call)

    def piece(rows: slice, first_key: int) -> Tensor:
        b, h, q, k = call.indices
        keys = slice(first_key, first_key + at.width)
        mask = call.permitted(b, h, q[:, :, rows], k[..., keys])
        near = query[:, :, rows], key[:, :, keys], value[:, :, keys]
        return _dot.attend(*near, scale, grouped=False, mask=mask, dropout=call.dropout)

    pieces = []
    if at.head > 0:
        pieces.append(piece(slice(0, at.head), 0))
    if at.count > 0:
        blocks = query[:, :, at.head : at.tail]
        stop = at.first_key + (at.count - 1) * at.rows + at.width
        keys, values = (tensor[:, :, at.first_key : stop] for tensor in (key, value))
        pieces.append(_blocks(call, blocks, keys, values, scale, at))
    if at.tail < call.q_len:
        pieces.append(piece(slice(at.tail, call.q_len), at.tail_key))
    return torch.cat(pieces, dim=2) if pieces else query @ key.mT @ value  # no query: no row


def _padded(call: Call, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Whole blocks only: queries filled up to the next one, keys wherever a slice sticks out."""
    left, right = reach(call.mask)
    assert left is not None and right is not None
    rows = block_rows(call)
    count = (call.q_len + rows - 1) // rows
    width = rows + left + right
    first = call.shared_offset - left
    before = torch.sym_max(0, -first)
    after = torch.sym_max(0, first + (count - 1) * rows + width - call.k_len)
    query = F.pad(query, (0, 0, 0, count * rows - call.q_len))
    start, stop = first + before, first + before + (count - 1) * rows + width
    key, value = (F.pad(x, (0, 0, before, after))[:, :, start:stop] for x in (key, value))
    at = Cut(rows, width, 0, count, first, 0)
    return _blocks(call, query, key, value, scale, at)[:, :, : call.q_len]


def _blocks(call: Call, query: Tensor, key: Tensor, value: Tensor, scale: float, at: Cut) -> Tensor:
    """All whole blocks in one SDPA call: `[B · H, blocks, rows, D]` against `[.., width, D]`."""
    blocks = query.unflatten(2, (at.count, at.rows)).flatten(0, 1)
    keys, values = (x.unfold(2, at.width, at.rows).mT.flatten(0, 1) for x in (key, value))
    mask = _block_mask(call, at)
    output = _dot.attend(
        blocks, keys, values, scale, grouped=False, mask=mask, dropout=call.dropout
    )
    return output.unflatten(0, query.shape[:2]).flatten(2, 3)


def _block_mask(call: Call, at: Cut) -> Tensor:
    """The mask within the slices; one for all blocks where it depends on the distance alone."""
    b, h, _, _ = call.indices
    device = call.query.device
    sticks_out = not is_static(call.k_len)
    shown = 1 if is_relative(call.mask) and not sticks_out else at.count
    first = torch.arange(shown, device=device).view(1, 1, -1, 1, 1) * at.rows
    q = first + torch.arange(at.rows, device=device).view(-1, 1) + (at.head + call.q_offset)
    k = first + torch.arange(at.width, device=device) + at.first_key
    inside = (k >= 0) & (k < call.k_len)
    if sticks_out:  # masks that look positions up have none for those that are filling
        q = q.clamp(max=call.q_offset + call.q_len - 1)
        k = k.clamp(min=0, max=call.k_len - 1)
    mask = call.permitted(b.unsqueeze(-1), h.unsqueeze(-1), q, k)
    mask = mask & inside if sticks_out else mask
    if mask.shape[:2] != (1, 1):
        mask = mask.expand(*call.query.shape[:2], *mask.shape[2:])
    return mask.flatten(0, 1)
