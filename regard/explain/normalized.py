"""Rows that sum to one."""

from torch import Tensor

from regard.explain._layers import HEADS, Layers, read_layers
from regard.explain.explanation import ByLayer


def normalized(weights: Layers) -> ByLayer:
    """Each row divided by its sum: `w_qk / Σ_j w_qj`; a row of zeros stays zero.

    As rollout and flow require, for weights that do not sum to one by themselves: those of a
    sigmoid, of a softmax with its own sink, or after dropout.

    Returns:
        `[batch, head, query, key]` of each layer.

    Raises:
        ValueError, TypeError: not weights, or negative or non-finite ones.

    Example:
        >>> import torch
        >>> normalized(torch.tensor([[[[[1.0, 3.0], [0.0, 0.0]]]]]))[0].values[0, 0]
        tensor([[0.2500, 0.7500],
                [0.0000, 0.0000]])
    """
    layers = read_layers("normalized", weights)
    return ByLayer(tuple(rows_of_one(layer) for layer in layers), HEADS)


def rows_of_one(weights: Tensor) -> Tensor:
    """Rows along the last axis divided by their sums; zeros stay zeros, also in the gradient."""
    sums = weights.sum(-1, keepdim=True)
    return weights / sums.where(sums > 0, sums.new_ones(()))
