"""The activations of published networks, by the names that configurations give them."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ActivationName = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh"]


def quick_gelu(x: Tensor) -> Tensor:
    """`x σ(1.702 x)`, the approximation of GELU that CLIP was trained with."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}
"""Name → function; `gelu` is exact, `gelu_tanh` GPT-2's approximation of it."""

IN_PLACE: dict[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] = {
    F.gelu: torch.ops.aten.gelu_,
    ACTIVATIONS["gelu_tanh"]: partial(torch.ops.aten.gelu_, approximate="tanh"),
    F.relu: F.relu_,
    F.silu: partial(F.silu, inplace=True),
}
"""Function → its in-place version."""
