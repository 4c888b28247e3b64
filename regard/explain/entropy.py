"""How spread a row of weights is."""

import math
from typing import Literal

import torch
from torch import Tensor

from regard.explain._layers import HEADS, Layers, read_layers
from regard.explain.explanation import ByLayer


def entropy(weights: Layers, unit: Literal["nats", "bits", "share"] = "nats") -> ByLayer:
    """The entropy of each query's weights: `-Σ_k w_qk ln w_qk`, with `0 ln 0 = 0`.

    Zero if one key has all the weight; `ln n` if n keys share it equally. A query that sees nothing
    has 0.

    Args:
        unit: "share" divides by the maximum, `ln` of the number of keys that have weight in any
            head (all that a mask permits, under softmax); it is 0 if there is only one.

    Returns:
        `[batch, head, query]` of each layer.

    Raises:
        ValueError, TypeError: not weights, or rows that do not sum to one.

    Example:
        >>> import torch
        >>> entropy(torch.tensor([[[[[1.0, 0.0], [0.5, 0.5]]]]]), "bits")[0].values
        tensor([[[0., 1.]]])
    """
    if unit not in ("nats", "bits", "share"):
        raise ValueError(f'entropy knows the units "nats", "bits" and "share", got {unit!r}.')
    found = []
    for layer in read_layers("entropy", weights, normalized=True):
        nats = torch.special.entr(layer).sum(-1)
        if unit == "bits":
            nats = nats / math.log(2)
        found.append(nats / _most(layer) if unit == "share" else nats)
    return ByLayer(tuple(found), HEADS[:3])


def _most(layer: Tensor) -> Tensor:
    """The entropy of equal weights, `[batch, 1, query]`; 1 where it is zero."""
    seen = (layer > 0).any(1, keepdim=True).sum(-1).to(layer.dtype)
    return seen.clamp(min=1).log().where(seen > 1, layer.new_ones(()))
