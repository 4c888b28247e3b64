"""A linear layer applied, at the speed of memory where one token goes through it."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from regard._kernels.few_rows import LARGE, float32_product
from regard._torch_private import is_hooked


def through(layer: Any, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
    """`layer(x)`: up to 4 tokens against a large matrix by a loop of our own, where there is one.

    Only a plain `nn.Linear` that nothing watches is meant; whatever wraps or replaces one is called
    as ever.

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
