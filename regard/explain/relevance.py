"""Relevance: rollout with weights multiplied by their gradients."""

import torch
from torch import Tensor

from regard.explain._layers import Layers, read_layers, require_chain, require_same_shapes
from regard.explain.explanation import Explanation
from regard.explain.rollout import QUERY_KEY


def relevance(weights: Layers, gradients: Layers) -> Explanation:
    """How relevant each input is to each token, for the score that was differentiated.

        R_0 = I,   R_l = R_{l-1} + Ā_l R_{l-1},   Ā_l = mean over heads of max(∇A_l ⊙ A_l, 0)

    Rows do not sum to one. The relevance of an input to itself includes the 1 from the identity,
    so it is often left out of plots.

    Args:
        weights: `[layers, batch, heads, len, len]`, or one tensor per layer, the first layer first.
        gradients: of a score with respect to these weights; for a batch, of the sum of all items'
            scores.

    Returns:
        `[batch, query, key]`.

    Raises:
        ValueError, TypeError: not weights, non-finite numbers, shapes that differ, or layers with
            different numbers of queries and keys.

    Example:
        >>> A = torch.full((1, 1, 1, 2, 2), 0.5)
        >>> relevance(A, torch.tensor([[[[[1.0, -1.0], [4.0, 0.0]]]]])).values
        tensor([[[1.5000, 0.0000],
                 [2.0000, 1.0000]]])

    References:
        Chefer, Gur & Wolf. Generic Attention-Model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers. 2021. https://arxiv.org/abs/2103.15679
    """
    found: Tensor | None = None
    for each in _steps("relevance", weights, gradients):
        found = eye(each) if found is None else found
        found = found + each @ found
    assert found is not None  # no layers are an error above
    return Explanation(found, QUERY_KEY)


def _steps(owner: str, weights: Layers, gradients: Layers) -> list[Tensor]:
    layers = read_layers(owner, weights)
    slopes = read_layers(owner, gradients, name="gradients", signed=True)
    require_same_shapes(owner, layers, slopes, ("weights", "gradients"))
    for number, layer in enumerate(layers):
        if layer.shape[2] != layer.shape[3]:
            raise ValueError(
                f"{owner}: layer {number} has {layer.shape[2]} queries and {layer.shape[3]} keys, "
                "which are other tokens; cross-attention has cross_relevance and Bimodal."
            )
    require_chain(owner, layers)
    return [step(layer, slope) for layer, slope in zip(layers, slopes, strict=True)]


def step(layer: Tensor, slope: Tensor) -> Tensor:
    """`E_h[(∇A ⊙ A)^+]`, the mean over heads, `[batch, query, key]`."""
    return (layer * slope).clamp(min=0).mean(1)


def eye(like: Tensor) -> Tensor:
    """An identity matrix per item, `[batch, n, n]`, with the dtype and device of a tensor."""
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device).expand(len(like), -1, -1)
