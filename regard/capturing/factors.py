"""Which query and which key scores are a product of, and what was done to the product since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from regard.capturing.einsums import Product

MULTIPLYING = frozenset("mul rmul imul multiply".split())
DIVIDING = frozenset("div truediv itruediv true_divide divide".split())
ADDING = frozenset("add radd iadd sub isub subtract".split())
HIDING = frozenset(
    "masked_fill where maximum max clamp clamp_min clip nan_to_num masked_scatter fill".split()
)


@dataclass(frozen=True, eq=False)
class Factors:
    """Two tensors whose product scores are, or were before something was added.

    Args:
        scale: all numbers that the product was multiplied with.
        is_all: nothing but scaling was done since.
    """

    product: Product
    scale: float = 1.0
    is_all: bool = True
    versions: tuple[int, ...] = ()


def factors_of(
    name: str, product: Product, kwargs: Mapping[str, Any]
) -> tuple[Factors | None, str]:
    """Those of a product of two tensors that depend on the input, and what is unknown."""
    if len(product.contracted) != 1:
        return None, "score"
    versions = tuple(map(version_of, (product.one, product.other)))
    if name.startswith(("badd", "add")):
        # What is added stands in front of the product, which nobody asks for its share.
        return Factors(product, float(kwargs.get("alpha", 1)), False, versions), ""
    return Factors(product, versions=versions), ""


def version_of(tensor: Tensor) -> int:
    """How often a tensor was changed in place, -1 where that is not counted."""
    return -1 if tensor.is_inference() else tensor._version


def after(
    factors: Factors, name: str, args: Sequence[Any], x: Tensor
) -> tuple[Factors | None, str]:
    """The factors of scores `x` after a function of them, and what is unknown."""
    if name in MULTIPLYING or (name in DIVIDING and args and args[0] is x):
        number = _number([each for each in args if each is not x])
        if number is None:
            return None, "scale"
        if name in DIVIDING and number == 0.0:
            return None, "function"
        scale = factors.scale * (number if name in MULTIPLYING else 1 / number)
        return replace(factors, scale=scale), ""
    is_first = bool(args) and args[0] is x
    if name in HIDING or (name in ADDING and (is_first or not name.endswith("sub"))):
        return replace(factors, is_all=False), ""
    return None, "function"


def _number(given: Sequence[Any]) -> float | None:
    """The one number that a tensor was multiplied with, where it is at hand."""
    if len(given) != 1:
        return None
    (each,) = given
    if isinstance(each, Tensor):
        at_hand = each.numel() == 1 and each.device.type == "cpu" and not each.requires_grad
        return float(each) if at_hand else None
    return float(each) if isinstance(each, (int, float)) else None
