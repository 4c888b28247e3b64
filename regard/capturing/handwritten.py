"""Attention written by hand: a softmax over scores, multiplied with values.

Scores are followed from a product through whatever scores go through (masks, biases, casts, other
layouts) to a softmax, and its output through dropout to a product with values, in which the axis
of the softmax is summed. What is told is what the module computed. A softmax over what a parameter
made, such as the classes of a classifier, the words of a vocabulary or the experts of a router, is
no attention, nor is one that is multiplied with parameters.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from regard.capturing import altered, dropped, normalized, products, relaid, weighted_sums
from regard.capturing.named_functions import (
    CASTS,
    CONVOLUTIONS,
    DROPS,
    ELEMENTWISE,
    LAYOUT,
    PRODUCTS,
    SOFTMAXES,
    SUMS,
    name_of,
)
from regard.capturing.provenance import Known
from regard.capturing.trail import Handler, Tell, Trail

HANDLERS: list[tuple[frozenset[str], Handler]] = [
    (PRODUCTS, products.product),
    (SOFTMAXES, normalized.softmax),
    (ELEMENTWISE, altered.elementwise),
    (LAYOUT, relaid.layout),
    (CASTS, altered.cast),
    (DROPS, dropped.dropout),
    (CONVOLUTIONS, products.convolution),
    (SUMS, weighted_sums.total),
    (frozenset(("sigmoid",)), normalized.sigmoid),
    (frozenset(("setitem",)), altered.written),
]


class Handwritten:
    """What is known of the tensors of one thread; it tells of each attention as values meet it."""

    def __init__(self, tell: Tell) -> None:
        self._trail = Trail(tell)

    @property
    def known(self) -> Known:
        return self._trail.known

    def handler(self, func: Any) -> Callable[[Any, Mapping[str, Any], Any], None] | None:
        """What to do after a function; None where it does not matter."""
        name = name_of(func)
        for names, handler in HANDLERS:
            if name in names:
                return partial(handler, self._trail, name)
        return None

    def first(self, func: Any) -> Callable[[Any, Mapping[str, Any]], None] | None:
        """What to do before a function."""
        name = getattr(func, "__name__", "")
        if name.rstrip("_") in DROPS:
            before = dropped.before_dropout_ if name.endswith("_") else dropped.before_dropout
            return partial(before, self._trail)
        return None
