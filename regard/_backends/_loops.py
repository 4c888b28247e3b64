"""What keeps loops that Numba compiles for a CPU from a call, whichever loops they are."""

from collections.abc import Iterator

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._kernels.installed import has_loops, why_no_loops
from regard._torch_private import (
    are_plain,
    is_forward_mode,
    is_jit_traced,
    is_traced,
    is_under_transform,
)

NO_TRANSFORM = (
    "it is called under a transform of torch.func, such as vmap, or in forward mode, and its loops "
    "have a forward and a backward pass only"
)


def refusals(call: Call, *held: Tensor) -> Iterator[str]:
    """No CPU, no Numba, float64, a subclass of tensors, or a call from within a transform or trace.

    Args:
        held: tensors of the call's parts that loops read, too.
    """
    if call.query.device.type != "cpu":
        yield f"its loops run on a CPU, not on {call.query.device}"
    elif not (is_traced() or are_plain(call.query, call.key, call.value, *held)):
        yield "its loops read plain tensors in memory, not subclasses of them"
    if call.exact == torch.float64:
        yield "it computes in float32, which would round float64"
    if not has_loops():
        yield why_no_loops()
    if is_under_transform() or is_forward_mode():
        yield NO_TRANSFORM
    if is_jit_traced():
        yield "torch.jit.trace cannot record its loops"
