"""FlexAttention: any mask and any score_mod inside one compiled kernel, block-sparse.

Masks and score mods have FlexAttention's own signature, so they go in as they are; only positions
are shifted by `q_offset`. On a CPU the kernel has no backward pass.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from regard._backends import _dot
from regard._backends._added import dots_of
from regard._backends._call import Call, label
from regard._backends._cost import Cost, fused_cost
from regard._backends._rates import Rates
from regard._backends._rewriting import LEAVES_OUT_QUERY, is_additive
from regard._backends._structure import follows_from_numbers, temperature
from regard._torch_private import is_traced
from regard._typing import MaskMod, ScoreMod

VARIANTS = 256  # kernels compiled in one process, one for each combination of parts and dtypes


masks_first = False
uses_dot_form = True
first_derivative_only = True  # the compiled backward pass has no derivative
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Not a softmax of a dot product, or something the kernel lacks on this device."""
    yield from _dot.refusals(call)
    if type(call.score) in LEAVES_OUT_QUERY and not is_additive(call):
        yield (
            f"its rewriting leaves out a term of the query alone, which score_mod "
            f"{label(call.score_mod)} would see"
        )
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
    if dots_of(call.score_mod):
        yield "its kernel has no dot product within a score_mod"
    if not call.offset_is_shared:
        yield "its block mask has one q_offset, not one for each sequence"


def reservations(call: Call) -> Iterator[str]:
    """A compiler is waited for on a GPU only, and for a large matrix that is masked or changed."""
    if not call.query.is_cuda:
        yield "it waits for a compiler, which pays on a GPU only"
    elif (call.mask is None and call.score_mod is None) or call.q_len * call.k_len < 1 << 20:
        yield "it waits for a compiler, which pays for large masked matrices only"


def seconds(call: Call, rates: Rates) -> float:
    """Once it is compiled; on a CPU it goes over the scores more often than SDPA's kernel."""
    pairs = call.q_len * call.k_len
    passes = 4 if call.score_mod is None else 9
    return _dot.seconds(call, rates, pairs, 30, masked=passes * pairs)


def cost(call: Call) -> Cost:
    return fused_cost(call, call.q_len * call.k_len)


def run(call: Call) -> Tensor:
    query, key, value, scale = _dot.fit(call)
    output = _kernel(
        query, key, value,
        score_mod=_score_mod(call), block_mask=_block_mask(call),
        scale=scale, enable_gqa=call.groups > 1,
    )  # fmt: skip
    return _dot.unfit(call, output)


def _kernel(*tensors: Tensor, **options: Any) -> Tensor:
    """The compiled operator. Past the limit of variants it fails instead of turning eager."""
    operator: Callable[..., Tensor] = flex_attention
    if torch.compiler.is_compiling():
        return operator(*tensors, **options)
    with torch._dynamo.config.patch(recompile_limit=VARIANTS, fail_on_recompile_limit_hit=True):
        return _compiled()(*tensors, **options)


@cache
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(flex_attention)


def _score_mod(call: Call) -> ScoreMod | None:
    if call.score_mod is None:
        return None
    offset, score_mod = call.q_offset, call.score_mod
    # The kernel's scale holds the temperature, which should divide what the score_mod makes.
    warmth = temperature(call.normalizer)

    def shifted(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return score_mod(score * warmth, b, h, q + offset, k) / warmth

    return shifted


def _block_mask(call: Call) -> BlockMask | None:
    if call.mask is None:
        return None
    device = str(call.query.device)
    if follows_from_numbers(call.mask) and not is_traced():  # one for all heads, to be kept
        mask: Any = call.mask
        return _kept_block_mask(mask, 1, 1, call.q_len, call.k_len, call.shared_offset, device)
    batch, heads = call.query.shape[:2]
    return _new_block_mask(
        call.mask, batch, heads, call.q_len, call.k_len, call.shared_offset, device
    )


def _new_block_mask(
    mask: MaskMod, batch: int, heads: int, q_len: int, k_len: int, q_offset: int, device: str
) -> BlockMask:
    def shifted(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return mask(b, h, q + q_offset, k)

    return create_block_mask(shifted, batch, heads, q_len, k_len, device)


@lru_cache(maxsize=64)
def _kept_block_mask(*arguments: Any) -> BlockMask:
    """A block mask that later calls may use, those that record gradients too."""
    with torch.inference_mode(False):
        return _new_block_mask(*arguments)
