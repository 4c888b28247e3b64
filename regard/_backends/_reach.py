"""Which queries see any of some keys: by running sums where masks are intervals, or by pairs."""

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._intervals import FARTHEST
from regard._backends._structure import conjuncts
from regard._torch_private import can_look_at, is_jit_traced
from regard.masks import Block, Causal, Padding, SlidingWindow

ROWS = 256  # queries asked at a time, so that no whole matrix is held

Answer = tuple[Tensor, Tensor, Tensor | None]


def sees_any(call: Call, flagged_BHK: Tensor) -> Answer:
    """Queries `[B, H, Q]` that see a flagged key, those that see any, and keys `[B, H, K]` seen.

    The last is None off the CPU, where it would need every pair.
    """
    if not can_look_at(call.query):
        answer = _by_interval(call, flagged_BHK)
        if answer is not None:
            return answer
    return _by_pairs(call, flagged_BHK)


def _by_interval(call: Call, flagged_BHK: Tensor) -> Answer | None:
    """Masks of windows, blocks and padding leave each query an interval of keys that count."""
    q = call.indices[2].squeeze(-1)
    low, high = torch.zeros_like(q), torch.full_like(q, call.k_len - 1)
    real = torch.ones_like(flagged_BHK)
    for part in conjuncts(call.mask):
        match part:
            case Causal():
                high = high.minimum(q)
            case SlidingWindow():
                left, right = (min(reach, FARTHEST) for reach in (part.left, part.right))
                low, high = low.maximum(q - left), high.minimum(q + right)
            case Block():
                first = q.div(part.size, rounding_mode="floor") * part.size
                low, high = low.maximum(first), high.minimum(first + part.size - 1)
            case Padding():
                real = real & part(*call.indices).squeeze(2)
            case _:
                return None
    sees = [_count(keys & real, low, high) > 0 for keys in (flagged_BHK, torch.ones_like(real))]
    return sees[0], sees[1], None


def _count(keys_BHK: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """How many of these keys lie in each query's interval, ends included."""
    before = torch.nn.functional.pad(keys_BHK.long().cumsum(-1), (1, 0))
    shape = (*keys_BHK.shape[:2], low.shape[-1])
    high, low = ((x.clamp(0, keys_BHK.shape[-1])).expand(shape) for x in (high + 1, low))
    return before.gather(-1, high) - before.gather(-1, low)


def _by_pairs(call: Call, flagged_BHK: Tensor) -> Answer:
    reached, alive, seen = [], [], torch.zeros_like(flagged_BHK)
    rows = call.q_len if is_jit_traced() else ROWS  # a trace would keep the number of cuts
    for start in range(0, max(call.q_len, 1), rows):
        stop = min(start + rows, call.q_len)
        permitted = call.permitted(*call.indices_of(start, stop))
        permitted = permitted.expand(*flagged_BHK.shape[:2], stop - start, call.k_len)
        reached.append((permitted & flagged_BHK.unsqueeze(-2)).any(-1))
        alive.append(permitted.any(-1))
        seen = seen | permitted.any(-2)
    return torch.cat(reached, -1), torch.cat(alive, -1), seen
