"""Kernels in Triton for what PyTorch has none on a GPU: additive scores, and sparse weights.

`softmax(v^T tanh(W q + U k))`, and entmax of any dot product, from sparsemax downwards, without the
matrix of pairs. Windows and documents skip the blocks that they leave out. The kernels themselves
are in `_kernels/triton_*.py`; on a CPU they run in Triton's interpreter (TRITON_INTERPRET=1), as
tests do.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from regard._backends import _dot
from regard._backends._call import Call, label
from regard._backends._cost import Cost, fused_cost, pair_width
from regard._backends._held import tensors_of
from regard._backends._rates import Rates
from regard._backends._rewriting import is_additive, is_dot
from regard._backends._structure import is_softmax
from regard._kernels.triton_blocks import WIDEST
from regard._kernels.triton_installed import why_not
from regard._torch_private import is_forward_mode, is_jit_traced, is_under_transform
from regard.normalizers import Entmax, sparsemax
from regard.scores import Additive, ConcatTanhSum, LuongConcat

masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False

TANH = (Additive, LuongConcat, ConcatTanhSum)
"""Sums of tanh of a vector of the query and a vector of the key."""


def refusals(call: Call) -> Iterator[str]:
    """Another mechanism, another device, or what the kernels lack."""
    if type(call.score) in TANH:
        if not is_softmax(call.normalizer):
            yield f"it normalizes additive scores by softmax, not by {label(call.normalizer)}"
    elif is_dot(call):
        yield from _sparse_refusals(call)
    else:
        yield f"{label(call.score)} is neither additive nor a dot product, nor one in disguise"
    reason = why_not(call.query)
    if reason is not None:
        yield reason
    if call.query.dtype == torch.float64:
        yield "its kernels have no float64"
    if call.dropout > 0:
        yield "its kernels have no dropout"
    if 0 in (call.query.numel(), call.key.numel(), call.value.numel()):
        yield "its kernels take no empty tensors"
    if not is_additive(call):
        yield f"score_mod {label(call.score_mod)} does more than add a bias"
    if is_under_transform() or is_forward_mode():
        yield _dot.NO_TRANSFORM
    if is_jit_traced():
        yield "torch.jit.trace does not record its kernels"


def _sparse_refusals(call: Call) -> Iterator[str]:
    """Not entmax of a dot product, or more than its blocks hold."""
    if alpha_of(call.normalizer) is None:
        yield (
            "it normalizes dot products by sparsemax, or by Entmax of an alpha from 1 to 2, not by "
            f"{label(call.normalizer)}"
        )
    widest = max(call.query.shape[-1], call.key.shape[-1], call.value.shape[-1])
    if widest > WIDEST:
        yield f"its blocks hold vectors of up to {WIDEST} numbers, not of {widest}"
    if any(tensor.requires_grad for tensor in tensors_of(call.score_mod)):
        yield "it has no gradient to what a score_mod holds"


def reservations(call: Call) -> Iterator[str]:
    """Until a GPU has run its tests (tests/gpu), the kernels are there for who asks for them."""
    if call.query.is_cuda:
        yield "no GPU has run its tests yet: name it to try it, backend='triton'"
    else:
        yield "without a GPU it is interpreted, which is for tests"


def seconds(call: Call, rates: Rates) -> float:
    """There are rates for CPUs only, where an interpreter takes a microsecond a number."""
    return float(call.lead * call.q_len * call.k_len * pair_width(call)) * 1e-6


def cost(call: Call) -> Cost:
    return fused_cost(call, call.q_len * call.k_len)


def run(call: Call) -> Tensor:
    """By the kernels for the call's mechanism."""
    # What they register with PyTorch takes a tenth of the time that importing this library does.
    alpha = alpha_of(call.normalizer)
    if type(call.score) in TANH or alpha is None:
        from regard._backends import _triton_additive

        return _triton_additive.run(call)
    from regard._backends import _triton_entmax

    return _triton_entmax.run(call, alpha)


def alpha_of(normalizer: object) -> float | None:
    """The alpha of a normalizer of the family between softmax and sparsemax; None for others."""
    if normalizer is sparsemax:
        return 2.0
    if type(normalizer) is Entmax and 1.0 < normalizer.alpha <= 2.0:
        return float(normalizer.alpha)
    return None
