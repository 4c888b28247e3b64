"""PyTorch's fused kernels, for every dot-product score, every mask and every additive bias."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends._call import Call, is_traced, label, repeat_heads
from regard._backends._cost import Cost, fused_cost
from regard._backends._rewriting import dot_form, is_additive, is_dot
from regard._backends._structure import temperature
from regard.masks import Causal


def refusals(call: Call) -> Iterator[str]:
    """Not a dot product, not a softmax, or a score_mod that is no added bias."""
    if not is_dot(call):
        yield f"{label(call.score)} is not a dot product, nor one in disguise"
    if temperature(call.normalizer) is None:
        yield f"it normalizes by softmax only, not by {label(call.normalizer)}"
    if not is_additive(call):
        yield f"score_mod {label(call.score_mod)} is not a bias added to the score"


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
        output = attend(
            call,
            query,
            key,
            value,
            scale,
            mask=None if call.mask is None else call.permitted(*call.indices),
        )
    else:
        bias = _bias(call)
        query, key, value = (tensor.to(bias.dtype) for tensor in (query, key, value))
        output = attend(call, query, key, value, scale, mask=bias)
    return unfit(call, output)


def unfit(call: Call, output: Tensor) -> Tensor:
    """The output without the columns that `fit` added, in the query's dtype."""
    value_dim = call.value.shape[-1]
    if output.shape[-1] != value_dim:
        output = output[..., :value_dim]
    return output.to(call.query.dtype)


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
    scale = form.scale / (temperature(call.normalizer) or 1.0)
    if scale < 0:  # kernels split the scale by its square root, or take a maximum before it
        query, scale = -query, -scale
    return query, key, value, scale


def _bias(call: Call) -> Tensor:
    """What the score_mod adds, over the temperature; minus infinity where the mask forbids."""
    zero = torch.zeros((1, 1, 1, 1), dtype=call.exact, device=call.query.device)
    bias = call.modified(zero, *call.indices) / (temperature(call.normalizer) or 1.0)
    return torch.where(call.permitted(*call.indices), bias, -math.inf)


def attend(
    call: Call,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    mask: Tensor | None = None,
    is_causal: bool = False,
    backend: str = "sdpa",
) -> Tensor:
    """SDPA on tensors made to fit, with this call's dropout, for the backend of that name."""
    if query.numel() == 0 or key.numel() == 0:
        groups = query.shape[1] // key.shape[1] if key.shape[1] else 1
        key, value = repeat_heads(key, groups), repeat_heads(value, groups)
        return (query @ key.mT) @ value  # zeros: kernels divide by these lengths
    output = F.scaled_dot_product_attention(
        query, key, value, mask, call.dropout, is_causal,
        scale=scale, enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return first_derivative_only(output, backend)


def first_derivative_only(output: Tensor, backend: str) -> Tensor:
    """Let a second derivative raise by name: fused backward kernels have no derivative."""
    if output.requires_grad and not is_traced():
        output.register_hook(lambda grad: _refuse_recording(backend))
    return output


def _refuse_recording(backend: str) -> None:
    if torch.is_grad_enabled():
        raise RuntimeError(
            f"backend {backend!r} has no second derivative (create_graph=True): "
            "call attention(..., backend='chunked'), which has derivatives of every order."
        )
