"""Scores and weights with changed values: masked, biased, scaled, cast."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from regard.capturing.factors import after
from regard.capturing.named_functions import BOUNDING, CAPPING, MASKING
from regard.capturing.provenance import Folded, OfParameters, Scores, Told, Weighted, Weights
from regard.capturing.trail import Trail


def elementwise(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """Scores stay scores, changed weights are others, and weights times values await their sum."""
    if not trail.known or not isinstance(out, Tensor):
        return
    if name in ("max", "min") and (len(args) < 2 or not isinstance(args[1], Tensor)):
        return  # of all, not of two
    x, node = trail.first_known(None, (*args, *kwargs.values()) if kwargs else args)
    if node is None or x is None:
        return
    if isinstance(node, Scores):
        trail.known.note(out, _rescored(trail, name, args, x, node, out))
    elif isinstance(node, Weights):
        values = [each for each in args if isinstance(each, Tensor) and each is not x]
        if name in ("mul", "rmul", "multiply") and values and out.shape != x.shape:
            if not isinstance(values[0], nn.Parameter):
                weights = x if node.before is None else node.before
                trail.known.note(out, Weighted(node, weights, values[0]))
        else:
            changed(trail, x, node, out)
    elif isinstance(node, (Folded, OfParameters)):
        if isinstance(node, Folded) or not [
            e for e in args if isinstance(e, Tensor) and e is not x
        ]:
            trail.known.note(out, node)


def _rescored(
    trail: Trail, name: str, args: Sequence[Any], x: Tensor, node: Scores, out: Tensor
) -> Scores:
    said, other = _said(name, args), trail.second_known(args, x)
    bounded = node.bounded or name in BOUNDING
    factors, unknown = node.factors, node.unknown
    if factors is not None:
        factors, unknown = after(factors, name, args, x)
    if other is not None and other.of_two:
        node = Scores(True, split=node.split, said=node.said)
        factors = None
    elif out.ndim != x.ndim:
        more = out.ndim - x.ndim
        made = frozenset(axis + more for axis in node.features)
        node = Scores(node.of_two, made, node.split, node.said)
        factors, unknown = None, unknown or "layout"
    said_all = node.said if said is None else node.said | {said}
    return replace(node, said=said_all, bounded=bounded, factors=factors, unknown=unknown)


def changed(trail: Trail, x: Tensor, node: Weights, out: Any) -> None:
    """Weights that the module itself changes after its softmax: these are the ones it uses."""
    if isinstance(out, Tensor) and out.shape == x.shape:
        told = Told(node.told.yet)
        trail.known.note(out, replace(node, before=None, told=told, unknown="after"))


def written(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """`x[...] = scores`."""
    if len(args) == 3 and trail.known:
        node = trail.known.of(args[2])
        written = trail.known.of(args[0])
        if isinstance(node, Scores) and written is None:
            trail.known.note(args[0], Scores(node.of_two, said=node.said))
        elif isinstance(written, Scores) and written.factors is not None:
            factors = replace(written.factors, is_all=False)
            trail.known.note(args[0], replace(written, factors=factors))


def cast(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """The same in another dtype; weights are shown as they were before they lost precision."""
    if args and isinstance(args[0], nn.Parameter) and out is not args[0]:
        trail.known.note(out, OfParameters())
    elif args and isinstance(out, Tensor) and out is not args[0]:
        node = trail.known.of(args[0])
        if isinstance(node, Weights):
            longer = args[0].element_size() > out.element_size()
            if longer or node.before is not None:
                before = args[0] if node.before is None else node.before
                node = replace(node, before=before)
        if node is not None:
            trail.known.note(out, node)


def _said(name: str, args: Sequence[Any]) -> str | None:
    if name in MASKING:
        return "mask"
    if name in CAPPING:
        return "soft_cap"
    if name in ("add", "iadd", "radd") and sum(isinstance(each, Tensor) for each in args) == 2:
        return "bias"
    return None
