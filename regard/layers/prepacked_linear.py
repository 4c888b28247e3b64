"""Linear layers with a copy of their weights in a CPU kernel's layout."""

from typing import Any, TypeGuard, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._kernels.few_rows import float32_product
from regard._torch_private import (
    has_prepacked_product,
    is_ordinary,
    prepack,
    prepacked_product,
)
from regard.layers._kernel_order import InOrder, in_order

Network = TypeVar("Network", bound=nn.Module)


class PrepackedLinear(nn.Linear):
    """A linear layer with a second copy of its weights, prepacked for the kernel.

    A matrix product starts by packing blocks of the weights; done once instead of at every call,
    8 tokens take half the time and 2,000 take four fifths. Results change in their last bits. The
    copy is rebuilt when the weights change, and not used where it does not apply: with gradients,
    in dtypes other than float32, on other devices, or where a graph is recorded. There it behaves
    as `nn.Linear`; it always has the same weights under the same names.

    Example:
        >>> layer, x = nn.Linear(64, 8), torch.randn(9, 64)
        >>> with torch.no_grad():
        ...     torch.allclose(prepacked(nn.Sequential(layer))(x), layer(x), atol=1e-5)
        True
    """

    _packed: InOrder | None = None

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        weight, bias = self.weight, self.bias
        found = float32_product(x, weight, bias)
        if found is not None:
            return found
        if not self._serves(x):
            return super().forward(x)
        return prepacked_product(x, self._in_order(), bias)

    def _serves(self, x: Tensor) -> bool:
        held = (x, self.weight) if self.bias is None else (x, self.weight, self.bias)
        return (
            is_ordinary()
            and has_prepacked_product()
            and all(each.dtype is torch.float32 and each.device.type == "cpu" for each in held)
            and all(type(each) in (Tensor, nn.Parameter) for each in held)
            and not (torch.is_grad_enabled() and any(each.requires_grad for each in held))
            and x.numel() > 0
            and self.weight.numel() > 0
        )

    def _in_order(self) -> Tensor:
        """The weights in the kernel's order, made once for these weights."""
        self._packed = in_order(self._packed, self.weight, prepack)
        return self._packed[2]

    def __getstate__(self) -> dict[str, Any]:
        """Without the kernel's order, which can be neither copied nor written."""
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


def is_plain(part: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether this is a plain linear layer, so that another may replace it."""
    return type(part) in (nn.Linear, PrepackedLinear)


def prepacked(model: Network) -> Network:
    """Prepack the weights of every linear layer of a network for the CPU's kernel, in place.

    The network is changed and returned: its linear layers become `PrepackedLinear`s, with the same
    weights, names and hooks, and take twice the memory once called without gradients. Anything
    that is not a plain `nn.Linear` is left alone.

    >>> from regard.layers import FeedForward
    >>> type(prepacked(FeedForward(16, 64)).hidden).__name__
    'PrepackedLinear'
    """
    for part in model.modules():
        if is_plain(part):
            part.__class__ = PrepackedLinear
    return model
