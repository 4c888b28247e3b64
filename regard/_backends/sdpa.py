"""PyTorch's fused kernels, for every score that is a dot product and every mask and additive bias."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends._call import Call, boolean
from regard._backends._cost import Cost, fused_cost
from regard._backends._rewriting import dot_form, is_dot
from regard._backends._structure import temperature
from regard.masks import Causal


def refusals(call: Call) -> list[str]:
    """Not a softmax, not a dot product, or a score_mod that is no added bias."""
    reasons = []
    if not is_dot(call):
        reasons.append(f"{_name(call.score)} is not a dot product, nor one in disguise")
    if temperature(call.normalizer) is None:
        reasons.append(f"it normalizes by softmax only, not by {_name(call.normalizer)}")
    if call.score_mod is not None and not getattr(call.score_mod, "additive", False):
        reasons.append(f"score_mod {_name(call.score_mod)} is not a bias added to the score")
    return reasons


def cost(call: Call) -> Cost:
    materialized = 0
    if call.score_mod is not None or not (call.mask is None or is_triangle(call)):
        materialized = call.q_len * call.k_len * call.exact.itemsize
    return fused_cost(call, call.q_len * call.k_len, materialized)


def run(call: Call) -> Tensor:
    query, key, value, scale = fit(call)
    if call.score_mod is None and is_triangle(call):
        output = attend(call, query, key, value, scale, is_causal=True)
    elif call.score_mod is None:
        output = attend(call, query, key, value, scale, mask=call.permitted())
    else:
        bias = _bias(call)
        query, key, value = (tensor.to(bias.dtype) for tensor in (query, key, value))
        output = attend(call, query, key, value, scale, mask=bias)
    return output[..., : call.value.shape[-1]].to(call.query.dtype)


def is_triangle(call: Call) -> bool:
    """Whether the mask is exactly the square lower triangle that kernels know without a tensor."""
    return type(call.mask) is Causal and call.q_offset == 0 and call.q_len == call.k_len


def fit(call: Call) -> tuple[Tensor, Tensor, Tensor, float]:
    """Query, key and value of one dtype and one width, and the scale of their dot product.

    Kernels that keep the scores on chip want one width; columns of zeros change no dot product.
    """
    form = dot_form(call)
    query, key, value = form.query, form.key, call.value.to(form.query.dtype)
    missing = value.shape[-1] - query.shape[-1]
    if missing > 0:
        query, key = F.pad(query, (0, missing)), F.pad(key, (0, missing))
    elif missing < 0:
        value = F.pad(value, (0, -missing))
    return query, key, value, form.scale / (temperature(call.normalizer) or 1.0)


def _bias(call: Call) -> Tensor:
    """What the score_mod adds, minus infinity where the mask forbids."""
    b, h, q, k = call.indices
    zero = torch.zeros((1, 1, 1, 1), dtype=call.exact, device=call.query.device)
    bias = call.score_mod(zero, b, h, q, k)
    if call.mask is None:
        return bias
    return torch.where(boolean(call.mask(b, h, q, k)), bias, -math.inf)


def attend(
    call: Call,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """SDPA on tensors made to fit, with this call's dropout and derivatives of every order."""
    if query.numel() == 0 or key.numel() == 0:
        return (query @ key.mT) @ value  # kernels divide by these lengths
    tensors = (query, key, value) if mask is None else (query, key, value, mask)
    tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    options = call.dropout, is_causal, scale, query.shape[1] != key.shape[1]
    if tracked and not torch.compiler.is_compiling() and not _transformed():
        return _TwiceDifferentiable.apply(query, key, value, mask, options)
    return _sdpa(query, key, value, mask, options)


def _transformed() -> bool:
    """Whether a torch.func transform is at work, which brings its own differentiation."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def _sdpa(query, key, value, mask, options) -> Tensor:
    dropout, is_causal, scale, gqa = options
    return F.scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal, scale=scale, enable_gqa=gqa
    )


class _TwiceDifferentiable(torch.autograd.Function):
    """SDPA with the kernel's own backward, and a differentiable one when a graph of it is wanted.

    The fused backward kernels have no derivative. Where the backward pass is itself recorded
    (`create_graph=True`), it is computed from PyTorch's written-out math instead.
    """

    @staticmethod
    def forward(ctx, query, key, value, mask, options):
        given = [query, key, value, mask]
        with torch.enable_grad():
            inner = [
                None if tensor is None else tensor.detach().requires_grad_(tensor.requires_grad)
                for tensor in given
            ]
            ctx.output = _sdpa(*inner, options)
        ctx.inner, ctx.options = inner, options
        ctx.save_for_backward(*given)
        return ctx.output.detach()

    @staticmethod
    def backward(ctx, grad):
        recorded = torch.is_grad_enabled()
        inner, output = ctx.inner, ctx.output
        if recorded:
            inner = list(ctx.saved_tensors)
            if ctx.options[0] > 0:
                raise RuntimeError(_NO_SECOND_DROPOUT)
            with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
                output = _sdpa(*inner, ctx.options)
        wanted = [i for i, tensor in enumerate(inner) if tensor is not None and tensor.requires_grad]
        found = torch.autograd.grad(
            output, [inner[i] for i in wanted], grad,
            create_graph=recorded, retain_graph=True, allow_unused=True,
        )  # fmt: skip
        grads = [None] * 5
        for i, gradient in zip(wanted, found, strict=True):
            grads[i] = gradient
        return tuple(grads)


_NO_SECOND_DROPOUT = (
    "backend 'sdpa' cannot draw the same dropout again for a second derivative: "
    "call attention(..., backend='chunked'), whose derivatives of every order include dropout."
)


def _name(part: object) -> str:
    return getattr(part, "__name__", None) or type(part).__name__
