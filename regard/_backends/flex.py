"""FlexAttention: any mask and any score_mod inside one compiled kernel, block-sparse.

Masks and score mods have FlexAttention's own signature, so they go in as they are; only positions
are shifted by `q_offset`. On a CPU the kernel has no backward pass.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from regard._backends._call import Call, label
from regard._backends._cost import Cost, fused_cost
from regard._backends._rewriting import is_dot
from regard._backends._structure import temperature
from regard._backends.sdpa import first_derivative_only, fit, unfit


def refusals(call: Call) -> Iterator[str]:
    """Not a softmax of a dot product, or something the kernel lacks on this device."""
    if not is_dot(call):
        yield f"{label(call.score)} is not a dot product, nor one in disguise"
    if temperature(call.normalizer) is None:
        yield f"it normalizes by softmax only, not by {label(call.normalizer)}"
    if call.dropout > 0:
        yield "its kernel has no dropout"
    if call.query.dtype == torch.float64:
        yield "its kernel has no float64"
    if 0 in (call.query.numel(), call.key.numel()):
        yield "its kernel takes no empty tensors"
    if call.query.device.type not in ("cuda", "cpu"):
        yield f"it has no kernel for {call.query.device.type}"
    if not call.query.is_cuda and call.needs_grad:
        yield "it has no backward pass on the CPU"
    if call.score_mod is not None and call.query.is_cuda and call.parts_need_grad:
        yield "gradients to a score_mod's weights are not asked of its kernel"


def is_worthwhile(call: Call) -> bool:
    """Whether the planner should wait for a compiler: only on a GPU, for a large masked matrix."""
    if not call.query.is_cuda or (call.mask is None and call.score_mod is None):
        return False
    return call.q_len * call.k_len >= 1 << 20


def cost(call: Call) -> Cost:
    return fused_cost(call, call.q_len * call.k_len)


def run(call: Call) -> Tensor:
    query, key, value, scale = fit(call)
    output = _kernel()(
        query, key, value,
        score_mod=_score_mod(call), block_mask=_block_mask(call),
        scale=scale, enable_gqa=call.groups > 1,
    )  # fmt: skip
    output = first_derivative_only(output, "flex")
    return unfit(call, output)


@cache
def _kernel():
    """The compiled operator, compiled once for a process."""
    return torch.compile(flex_attention)


def _score_mod(call: Call):
    if call.score_mod is None:
        return None
    offset, score_mod = call.q_offset, call.score_mod

    def shifted(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return score_mod(score, b, h, q + offset, k)

    return shifted


def _block_mask(call: Call) -> BlockMask | None:
    if call.mask is None:
        return None
    offset, mask = call.q_offset, call.mask

    def shifted(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return mask(b, h, q + offset, k)

    batch, heads = call.query.shape[:2]
    return create_block_mask(shifted, batch, heads, call.q_len, call.k_len, call.query.device)
