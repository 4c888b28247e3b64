"""Second derivatives through fused kernels, whose backward pass PyTorch cannot differentiate.

Forward and backward stay the kernels'. Only when a gradient is itself recorded (with
`create_graph=True`) is it taken from the definition instead, which has derivatives of every order.
The tensors are reached through weak references: the kernel's own graph node keeps them exactly as
long as it needs them, and memory is freed during the backward pass as if nothing were here.
"""

from weakref import ref

import torch
from torch import Tensor

from regard._backends import chunked
from regard._backends._call import Call
from regard._backends._definition import gradients
from regard._torch_private import is_fused_attention, is_traced
from regard.masks import Causal
from regard.normalizers import softmax
from regard.score_mods import Bias
from regard.scores import ScaledDot

_FIRST_ONLY = (
    "backend {!r} has no second derivative (create_graph=True): call attention(..., "
    "backend='chunked'), which has derivatives of every order."
)
_DROPPED = (
    "a fused attention kernel with dropout cannot drop the same weights again, so its gradient "
    "cannot be differentiated again: call attention(..., backend='chunked')."
)
_GONE = (
    "the tensors of a fused attention kernel are gone, so its gradient cannot be differentiated "
    "again: call attention(..., backend='chunked'), or leave out checkpointing around it."
)


def refuse_second(output: Tensor, backend: str) -> None:
    """Let a recorded gradient of this output raise, and name the backend that has none for it."""

    def refuse(gradient: Tensor) -> None:
        if torch.is_grad_enabled():
            raise RuntimeError(_FIRST_ONLY.format(backend))

    if output.requires_grad and not is_traced():
        output.register_hook(refuse)


def allow_second(
    output: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    dropout: float,
) -> None:
    """Let a recorded gradient of this SDPA output, made outside of any trace, have a gradient."""
    node = output.grad_fn
    if node is None or not is_fused_attention(node):
        return
    held = (ref(query), ref(key), ref(value), None if mask is None else ref(mask))

    def redo(gradients: tuple[Tensor | None, ...], upstream: tuple[Tensor | None, ...]) -> object:
        if upstream[0] is None or not torch.is_grad_enabled():
            return None
        if dropout > 0.0:
            raise RuntimeError(_DROPPED)
        tensors = tuple(None if one is None else one() for one in held)
        if any(one is None for one in tensors[:3]) or (held[3] and tensors[3] is None):
            raise RuntimeError(_GONE)
        return _recorded(gradients, upstream[0], tensors, scale, is_causal)

    node.register_hook(redo)


def recorded(
    upstream: Tensor, inputs: tuple[Tensor, ...], scale: float, dropped: bool
) -> tuple[Tensor | None, ...]:
    """The gradients to query, key, value and bias if any, through the definition and recorded.

    Raises `RuntimeError` where weights were dropped.
    """
    if dropped:
        raise RuntimeError(_DROPPED)
    query, key, value, *bias = inputs
    mod = Bias(bias[0], first_query=0) if bias else None
    call = Call(query, key, value, ScaledDot(scale), mod, None, softmax, 0.0, 0)
    return gradients(lambda: chunked.run(call), inputs, upstream)


def _recorded(
    gradients: tuple[Tensor | None, ...],
    upstream: Tensor,
    tensors: tuple[Tensor | None, ...],
    scale: float,
    is_causal: bool,
) -> tuple[Tensor | None, ...]:
    """The same gradients, taken through the definition and recorded on the way."""
    query, key, value, bias = tensors
    assert query is not None and key is not None and value is not None
    call = Call(
        query, key, value, ScaledDot(scale), None if bias is None else Bias(bias, first_query=0),
        Causal() if is_causal else None, softmax, 0.0, 0,
    )  # fmt: skip
    asked = [
        x
        for x, gradient in zip((query, key, value), gradients, strict=False)
        if gradient is not None
    ]
    found = iter(torch.autograd.grad(chunked.run(call), asked, upstream, create_graph=True))
    new = [None if gradient is None else next(found) for gradient in gradients[:3]]
    return (*new, *gradients[3:])
