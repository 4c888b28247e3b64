"""Attention times gradient: each weight times the sensitivity of a score to it."""

from regard.explain._layers import HEADS, Layers, read_layers, require_same_shapes
from regard.explain.explanation import ByLayer


def attention_times_gradient(weights: Layers, gradients: Layers) -> ByLayer:
    """Each weight times the derivative of a score with respect to it: `w_qk ∂s/∂w_qk`.

    To first order, what the score would lose without this weight: positive where the attention
    supports it, negative where it opposes it.

    Args:
        weights: `[layers, batch, heads, q_len, k_len]`, or one tensor per layer.
        gradients: of a score with respect to these weights, `torch.autograd.grad(score, weights)`.

    Returns:
        `[batch, head, query, key]` of each layer.

    Raises:
        ValueError, TypeError: not weights, non-finite numbers, or shapes that differ.

    Example:
        >>> import torch
        >>> w = torch.tensor([[[[[0.25, 0.75]]]]], requires_grad=True)
        >>> gradient, = torch.autograd.grad((w * torch.tensor([2.0, -1.0])).sum(), w)
        >>> attention_times_gradient(w.detach(), gradient)[0].values
        tensor([[[[ 0.5000, -0.7500]]]])

    References:
        Hao, Dong, Wei & Xu. Self-Attention Attribution: Interpreting Information Interactions
        Inside Transformer. 2021. https://arxiv.org/abs/2004.11207
    """
    owner = "attention_times_gradient"
    layers = read_layers(owner, weights)
    slopes = read_layers(owner, gradients, name="gradients", signed=True)
    require_same_shapes(owner, layers, slopes, ("weights", "gradients"))
    products = (layer * slope for layer, slope in zip(layers, slopes, strict=True))
    return ByLayer(tuple(products), HEADS)
