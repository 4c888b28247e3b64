"""Weights kept a second time, in the order in which a kernel reads them."""

from collections.abc import Callable

from torch import Tensor

InOrder = tuple[int, int, Tensor]
"""Where the weights lie, which version of them it is, and the same in order."""


def in_order(held: InOrder | None, weight: Tensor, order: Callable[[Tensor], Tensor]) -> InOrder:
    """What is held, made anew where the weights are others or have changed."""
    version = 0 if weight.is_inference() else weight._version
    state = weight.data_ptr(), version
    return held if held is not None and held[:2] == state else (*state, order(weight))
