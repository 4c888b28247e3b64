"""The last layer and its cross-entropy in one pass, without keeping the logits."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK_BYTES = 2**23


def linear_cross_entropy(
    features: Float[Tensor, "rows width"],
    weight: Float[Tensor, "vocab width"],
    bias: Float[Tensor, " vocab"] | None,
    labels: Int[Tensor, " rows"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross-entropy between `softmax(W x + b)` and smoothed labels, summed over rows, in nats.

    A label has probability `1 - smoothing`, and `smoothing` is spread evenly over the whole
    vocabulary (as in `torch.nn.functional.cross_entropy`). The gradient is computed with the
    value, a few hundred rows at a time, so that `rows x vocab` logits never exist at once: what is
    saved are gradients of the size of `features` and `weight`. First derivatives only.

    Raises `ValueError` for a smoothing outside [0, 1).

    >>> x, w = torch.randn(5, 8), torch.randn(100, 8)
    >>> loss = linear_cross_entropy(x, w, None, torch.tensor([0, 3, 99, 1, 1]))
    >>> torch.isclose(loss, torch.nn.functional.cross_entropy(
    ...     x @ w.T, torch.tensor([0, 3, 99, 1, 1]), reduction="sum"))
    tensor(True)

    References:
        Szegedy, Vanhoucke, Ioffe, Shlens & Wojna. Rethinking the Inception Architecture for
        Computer Vision. 2016. https://arxiv.org/abs/1512.00567
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be at least 0 and below 1, got {smoothing}")
    if torch.is_autocast_enabled(features.device.type):
        dtype = torch.get_autocast_dtype(features.device.type)
        features, weight = features.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    return _LinearCrossEntropy.apply(features, weight, bias, labels, smoothing)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        smoothing: float,
    ) -> Tensor:
        learning = any(ctx.needs_input_grad[:3])
        vocab = len(weight)
        rows = max(1, _CHUNK_BYTES // (4 * vocab))
        wide = torch.promote_types(weight.dtype, torch.float32)
        total = torch.zeros((), device=features.device, dtype=wide)
        grad_features = torch.empty_like(features) if learning else None
        grad_weight = torch.zeros_like(weight, dtype=wide) if learning else None
        grad_bias = weight.new_zeros(vocab, dtype=wide) if learning and bias is not None else None
        for start in range(0, len(features), rows):
            x, y = features[start : start + rows], labels[start : start + rows].unsqueeze(-1)
            logits = (x @ weight.mT if bias is None else torch.addmm(bias, x, weight.mT)).to(wide)
            total -= (1 - smoothing) * logits.gather(-1, y).sum()
            top = logits.amax(-1, keepdim=True)
            sums = logits.sub_(top).exp_().sum(-1, keepdim=True)
            total += (top + sums.log()).sum()
            if grad_features is None or grad_weight is None:
                continue
            # From here on `logits` holds the gradient: softmax minus the label's share.
            logits.mul_(sums.reciprocal_())
            logits.scatter_add_(-1, y, torch.full_like(y, smoothing - 1, dtype=logits.dtype))
            if grad_bias is not None:
                grad_bias += logits.sum(0)
            grad = logits.to(weight.dtype)
            torch.mm(grad, weight, out=grad_features[start : start + rows])
            if grad.dtype == wide:
                grad_weight.addmm_(grad.mT, x)
            else:
                grad_weight += grad.mT @ x
        if smoothing:
            # What is spread evenly needs no pass over the logits: it is the same for every one.
            share = smoothing / vocab
            mean = weight.sum(0, dtype=wide)
            seen = features.sum(0, dtype=wide)
            total -= share * (seen @ mean)
            if bias is not None:
                total -= share * len(features) * bias.sum(dtype=wide)
            if grad_features is not None and grad_weight is not None:
                grad_features -= (share * mean).to(grad_features.dtype)
                grad_weight -= share * seen
            if grad_bias is not None:
                grad_bias -= share * len(features)
        ctx.grads = (grad_features, grad_weight, grad_bias)
        ctx.dtypes = (weight.dtype, None if bias is None else bias.dtype)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, bias = ctx.grads
        of_weight, of_bias = ctx.dtypes
        return (
            features * upstream.to(features.dtype),
            (weight * upstream).to(of_weight),
            None if bias is None else (bias * upstream).to(of_bias),
            None,
            None,
        )
