"""Applying a linear layer at memory bandwidth when it gets a single token."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from regard._kernels.few_rows import LARGE, float32_product
from regard._torch_private import is_hooked


def through(layer: Any, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
    """`layer(x)`: up to 4 tokens times a large matrix by our own kernel, where available.

    This applies only to a plain `nn.Linear` without hooks; anything that wraps or replaces one is
    called as usual.

    >>> import torch
    >>> layer, x = nn.Linear(6, 3), torch.randn(2, 6)
    >>> torch.equal(through(layer, x), layer(x))
    True
    """
    if type(layer) is nn.Linear and layer.in_features * layer.out_features >= LARGE:
        if not is_hooked(layer):
            found = float32_product(x, layer.weight, layer.bias)
            if found is not None:
                return found
    return layer(x)
