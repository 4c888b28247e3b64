"""Products: of queries and keys, of weights and values, and of either with parameters."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from torch import Tensor, nn

from regard.capturing import einsums
from regard.capturing.altered import changed
from regard.capturing.einsums import Product
from regard.capturing.factors import factors_of
from regard.capturing.provenance import Folded, Node, OfParameters, Scores, Weights
from regard.capturing.sums_to_one import as_weights
from regard.capturing.trail import Trail
from regard.capturing.written_out import told


def product(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """Scores of two tensors, or weights that meet their values."""
    if name == "linear" and len(args) > 1 and isinstance(args[1], nn.Parameter):
        if trail.known.of(args[0]) is None:  # as nearly all are
            trail.known.note(out, _projected(out.ndim))
            return
    found = _product(name, args, kwargs)
    if found is None or not isinstance(out, Tensor):
        return
    one, other = trail.known.of(found.one), trail.known.of(found.other)
    fixed, other_fixed = _is_fixed(found.one, one), _is_fixed(found.other, other)
    if len(found.contracted) == 1 and not fixed and not other_fixed:
        (letter,) = found.contracted
        one = as_weights(found.one, one, found.of_one.index(letter))
        other = as_weights(found.other, other, found.of_other.index(letter))
    if isinstance(one, Weights) and isinstance(other, Weights):
        return
    if isinstance(one, Weights):
        _met(trail, found, one, other_fixed, out)
    elif isinstance(other, Weights):
        _met(trail, found.turned(), other, fixed, out)
    if trail.known.of(out) is not None and not fixed and not other_fixed:
        trail.known.forget(out)
    if isinstance(one, Weights) or isinstance(other, Weights):
        if fixed or other_fixed:
            return
    if fixed and other_fixed:
        return
    features = frozenset(
        place
        for place, letter in enumerate(found.of_result)
        if (fixed and letter not in found.of_other) or (other_fixed and letter not in found.of_one)
    )
    scored = [node for node in (one, other) if isinstance(node, Scores)]
    split = next((node.split for node in (one, other) if isinstance(node, (Folded, Scores))), None)
    of_two = not (fixed or other_fixed) or any(node.of_two for node in scored)
    node = Scores(of_two, features, split if out.ndim == 3 else None)
    if not (fixed or other_fixed):
        factors, unknown = factors_of(name, found, kwargs)
        node = replace(node, factors=factors, unknown=unknown)
    trail.known.note(out, node)


def _met(trail: Trail, product: Product, node: Weights, is_fixed: bool, out: Tensor) -> None:
    """Weights in a product: with values, or with parameters that mix heads."""
    if len(product.contracted) != 1:
        return
    key = product.of_one.index(product.contracted[0])
    if is_fixed:
        if node.axis is not None and node.axis != key:
            place = product.of_result.find(product.of_one[node.axis])
            axis = place if place >= 0 else None
            trail.known.note(out, replace(node, before=None, axis=axis, unknown="after"))
        return
    is_query = [c in product.of_result and c not in product.of_other for c in product.of_one]
    of_two = node.scores is not None and node.scores.of_two
    if node.axis != key and not (of_two and (node.axis is None or is_query[node.axis])):
        return
    weights = product.one if node.before is None else node.before
    told(trail, node, weights, key, is_query, node.axis not in (key, None), product)


def convolution(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """Scores whose channels a parameter made, or weights that it changed."""
    node = trail.known.of(args[0]) if args else None
    if isinstance(node, Weights):
        changed(trail, args[0], node, out)
    elif isinstance(out, Tensor):
        of_two = isinstance(node, Scores) and node.of_two
        channels = out.ndim - int(name[4]) - 1
        trail.known.note(out, Scores(of_two, frozenset((channels,))))


@cache
def _projected(ndim: int) -> Scores:
    """What a parameter made of something of which nothing is known, its last axis."""
    return Scores(False, frozenset((ndim - 1,)))


def _is_fixed(tensor: Tensor, node: Node | None) -> bool:
    return isinstance(tensor, nn.Parameter) or isinstance(node, OfParameters)


def _product(name: str, args: Any, kwargs: Mapping[str, Any]) -> Product | None:
    if name == "einsum":
        return einsums.einsum(args)
    if name in ("baddbmm", "addbmm", "addmm"):
        args = args[1:]
    given = [*args, *(each for each in kwargs.values() if isinstance(each, Tensor))]
    if len(given) < 2 or not (isinstance(given[0], Tensor) and isinstance(given[1], Tensor)):
        return None
    if name == "linear":
        return einsums.linear(given[0], given[1])
    if name in ("addbmm", "tensordot", "inner"):
        return None
    one, other = (given[1], given[0]) if name == "rmatmul" else (given[0], given[1])
    return einsums.matmul(one, other)
