"""What `RelativeDot` adds, for backends that read it by distance, and for those that add biases.

Written out it has the size of the scores. The products with distances are then computed for a block
of queries at a time, which needs only slightly more distances than there are keys, and the shift
from distances to keys is a view of them.
"""

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._structure import temperature
from regard._kernels.links import Relative
from regard._torch_private import is_static
from regard.score_mods.relative_dot import RelativeDot, by_rows

BLOCK = 64
"""Queries whose products with distances are computed together."""


def is_served(call: Call) -> bool:
    """Whether all queries and keys stand where numbers say, so that rows are cut from a table."""
    offset = call.q_offset
    return not isinstance(offset, Tensor) and all(
        is_static(number) for number in (call.q_len, call.k_len, offset)
    )


def relative_of(call: Call, mod: RelativeDot) -> Relative:
    """Its queries and the rows of all distances, in the exact dtype; over the temperature."""
    factor, divisor = mod.factor, temperature(call.normalizer)
    query = mod.query[:, :, : call.q_len].to(call.exact)
    if isinstance(divisor, Tensor):
        query, divisor = query / divisor, 1.0
    return Relative(query, _rows(call, mod)[:, :, 1:].to(call.exact), factor / divisor)


def written_out(call: Call, mod: RelativeDot) -> Tensor:
    """What it adds to every score, `[B, H, Q, K]`, in the exact dtype."""
    query = mod.query[:, :, : call.q_len].to(call.exact) * mod.factor
    q_len, k_len = call.q_len, call.k_len
    if q_len == 0 or k_len == 0:
        return query.new_zeros(*query.shape[:3], k_len)
    rows, blocks = _rows(call, mod).to(call.exact), []
    for first in range(0, q_len, BLOCK):
        last = min(first + BLOCK, q_len)
        near = rows[:, :, q_len - last : q_len - first + k_len]
        blocks.append(relative_shift(by_rows(query[:, :, first:last], near), k_len))
    return torch.cat(blocks, dim=2) if len(blocks) != 1 else blocks[0]


def _rows(call: Call, mod: RelativeDot) -> Tensor:
    """The vectors of all distances that the call has, that of the last query and key 0 second.

    One more goes before them, so that products with a block of them have an even length.
    """
    first = mod.farthest - (call.shared_offset + call.q_len)
    last = first + max(1, call.q_len + call.k_len)
    if first >= 0 and last <= mod.keys.shape[2]:
        return mod.keys[:, :, first:last]
    row = torch.arange(first, last, device=mod.keys.device)
    return mod.keys[:, :, row.clamp(0, mod.keys.shape[2] - 1)]


def relative_shift(scores: Tensor, k_len: int) -> Tensor:
    """Turn scores per distance `[B, H, Q, Q + K]` into scores per key, as a view.

    Query i finds key j in column `Q - i + j`: each row starts one column earlier than the one above
    it. Reading the same memory with rows one column shorter gives exactly that.

    >>> relative_shift(torch.tensor([[[[2.0, 1.0, 0.0, -1.0], [2.0, 1.0, 0.0, -1.0]]]]), 2)
    tensor([[[[ 0., -1.],
              [ 1.,  0.]]]])
    """
    q_len, distances = scores.shape[-2:]
    rows = scores.flatten(-2)[..., q_len:]
    return rows.unflatten(-1, (q_len, distances - 1))[..., :k_len]
