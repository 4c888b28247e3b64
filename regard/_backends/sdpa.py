"""PyTorch's fused kernels, for every dot-product score, every mask and every additive bias.

Where values are much wider than keys the same is done a few queries at a time (`_wide_values.py`).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from regard._backends import _dot, _wide_values
from regard._backends._added import dots_of, written_out
from regard._backends._call import Call, Kernel, label
from regard._backends._cost import Cost, fused_cost, mask_work, written
from regard._backends._rates import Rates
from regard._backends._rewriting import AS_THEY_ARE, dot_form, is_additive
from regard._backends._structure import follows_from_numbers, leaves, temperature
from regard._torch_private import surely
from regard._typing import MaskMod
from regard.masks import Causal, Padding

SPLIT = 512  # keys that a kernel takes together, and so the least that a triangle leaves out


masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Not a dot product, not a softmax, or a score_mod that is no added bias."""
    yield from _dot.refusals(call)
    if not is_additive(call):
        yield f"score_mod {label(call.score_mod)} is not a bias added to the score"


def reservations(call: Call) -> Iterator[str]:
    return iter(())


def seconds(call: Call, rates: Rates) -> float:
    pairs = call.q_len * call.k_len
    if _wide_values.serves(call):
        return _wide_values.seconds(call, rates)
    if call.score_mod is None and call.mask is None:
        return _dot.seconds(call, rates, pairs, 0)
    if call.score_mod is None and is_triangle(call):
        met = min(call.k_len, (call.k_len + SPLIT) // 2)  # keys by a query, on average
        return _dot.seconds(call, rates, call.q_len * met, 0)
    steps, numbers = (0, 0) if call.mask is None else mask_work(call, pairs)
    if call.score_mod is not None:
        steps, numbers = steps + 12, numbers + 4 * call.query.shape[1] * pairs
    products = 0
    if dots := dots_of(call.score_mod):
        scores = call.lead * pairs
        numbers += written(3 * scores, scores * call.exact.itemsize)
        products = 3 * scores * sum(dot.keys.shape[3] for dot in dots)
    return _dot.seconds(call, rates, pairs, steps, masked=pairs, numbers=numbers, products=products)


def cost(call: Call) -> Cost:
    materialized = _wide_values.BLOCK_BYTES if _wide_values.serves(call) else 0
    if call.score_mod is not None or not (call.mask is None or is_triangle(call)):
        materialized = call.q_len * call.k_len * call.exact.itemsize
    return fused_cost(call, call.q_len * call.k_len, materialized)


def run(call: Call) -> Tensor:
    if _wide_values.serves(call):
        return _wide_values.run(call)
    query, key, value, scale = _dot.fit(call)
    mask, is_causal = None, call.score_mod is None and is_triangle(call)
    if call.score_mod is not None:
        mask = _dot.bias(call, call.indices, written_out(call))
        query, key, value = (tensor.to(mask.dtype) for tensor in (query, key, value))
    elif call.mask is not None and not is_causal:
        mask = call.permitted(*call.indices)
    output = _dot.attend(
        query, key, value, scale,
        grouped=_dot.is_grouped(call), mask=mask, is_causal=is_causal, dropout=call.dropout,
    )  # fmt: skip
    return _dot.unfit(call, output)


def is_triangle(call: Call) -> bool:
    """Whether the mask is exactly the square lower triangle that kernels know without a tensor."""
    return (
        type(call.mask) is Causal
        and call.offset_is_shared
        and surely(call.q_offset == 0)
        and surely(call.q_len == call.k_len)
    )


SMALL = 1 << 13  # pairs up to which a mask that follows from numbers is kept


def prepared(call: Call) -> Kernel | None:
    """The call as one kernel that needs nothing but tensors of the same shapes, where it is that.

    So the planner may keep it for equal calls, whose parts are values.
    """
    if type(call.score) not in AS_THEY_ARE or call.score_mod is not None:
        return None
    if isinstance(call.q_offset, Tensor):  # whose numbers may be others in the next call
        return None
    same_width = call.query.shape[-1] == call.key.shape[-1] == call.value.shape[-1]
    scale = dot_form(call).scale / temperature(call.normalizer)
    if not same_width or 0 in call.query.shape or 0 in call.key.shape:
        return None
    if isinstance(scale, Tensor) or scale < 0:  # it goes into the query
        return None
    if not all(type(leaf) is Padding or follows_from_numbers(leaf) for leaf in leaves(call.mask)):
        return None
    grouped, dropout = _dot.is_grouped(call), call.dropout
    if call.mask is not None and not follows_from_numbers(call.mask):
        with torch.inference_mode(False):
            indices = call.indices

        def ask(query: Tensor, key: Tensor, value: Tensor, mask: MaskMod) -> Tensor:
            permitted = mask(*indices)
            return _dot.attend(
                query, key, value, scale, grouped=grouped, mask=permitted, dropout=dropout
            )

        return ask
    is_causal, known = is_triangle(call), None
    if call.mask is not None and not is_causal:
        if call.q_len * call.k_len > SMALL:
            return None
        with torch.inference_mode(False):
            known = _dot.additive(call.permitted(*call.indices), call.query.dtype)

    def run(query: Tensor, key: Tensor, value: Tensor, _: object) -> Tensor:
        return _dot.fused(
            query, key, value, scale,
            grouped=grouped, mask=known, is_causal=is_causal, dropout=dropout,
        )  # fmt: skip

    return run
