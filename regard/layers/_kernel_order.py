"""A second copy of weights, in the order in which a kernel reads them."""

from collections.abc import Callable

from torch import Tensor

InOrder = tuple[int, int, Tensor]
"""The address of the weights, their version, and the reordered copy."""


def in_order(held: InOrder | None, weight: Tensor, order: Callable[[Tensor], Tensor]) -> InOrder:
    """The reordered copy, rebuilt if the weights were replaced or have changed."""
    version = 0 if weight.is_inference() else weight._version
    state = weight.data_ptr(), version
    return held if held is not None and held[:2] == state else (*state, order(weight))
