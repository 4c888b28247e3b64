"""Scores and weights in another layout: views, transposes, copies, parts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from regard.capturing.folded_heads import fold, packed_heads
from regard.capturing.named_functions import FOLDING, KEEPING
from regard.capturing.provenance import (
    Folded,
    OfParameters,
    Packed,
    Scores,
    Weights,
    followed,
    layout_of,
)
from regard.capturing.trail import Trail, tensors


def layout(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """What is known of a tensor is known of it in another layout."""
    first = args[0] if args else None
    if isinstance(first, nn.Parameter):
        for each in tensors(out):
            trail.known.note(each, OfParameters())
        return
    if name in FOLDING and isinstance(first, Tensor) and (heads := packed_heads(first, out)):
        trail.known.note(out, Packed(heads))
        return
    if not trail.known and name not in FOLDING:
        return
    x, node = trail.first_known(first, args)
    if node is None:
        if name in FOLDING and isinstance(first, Tensor) and isinstance(out, Tensor):
            split = fold(first, out)
            if split is not None:
                trail.known.note(out, Folded(split))
        return
    assert x is not None
    again = None
    for number, each in enumerate(tensors(out)):
        if each is x:
            continue
        if isinstance(node, Scores):
            split = fold(x, each) or node.split
            moves = node.moves
            if node.made:
                moves = (*moves, (layout_of(x), layout_of(each)))
            factors, unknown = node.factors, node.unknown
            if factors is not None and not _keeps_pairs(name, x, each):
                factors, unknown = None, "layout"
            trail.known.note(
                each, replace(node, split=split, moves=moves, factors=factors, unknown=unknown)
            )
        elif isinstance(node, Weights):
            axes = frozenset(() if node.axis is None else (node.axis,))
            found = followed(axes, layout_of(x), layout_of(each)) if axes else axes
            axis = next(iter(found)) if len(found) == 1 else None
            before = None
            if node.before is not None:
                if again is None:
                    again = list(tensors(_again(name, x, node.before, args, kwargs)))
                before = again[number] if number < len(again) else None
            unknown = node.unknown or ("" if _keeps_pairs(name, x, each) else "layout")
            trail.known.note(each, replace(node, axis=axis, before=before, unknown=unknown))
        else:
            trail.known.note(each, node)


def _keeps_pairs(name: str, x: Tensor, moved: Tensor) -> bool:
    """Whether queries and keys stay the last axes, and what is in front of them in its order."""
    return name in KEEPING and x.shape[-2:] == moved.shape[-2:] and x.numel() == moved.numel()


def _again(name: str, x: Tensor, before: Tensor, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """The same change of layout for the numbers before dropout."""
    moved = tuple(before if each is x else _exchanged(each, x, before) for each in args)
    if name in ("mT", "mH", "T", "H"):
        return getattr(before, name)
    method = {"getitem": "__getitem__"}.get(name, name)
    function = getattr(torch, name, None)
    if hasattr(Tensor, method) and moved and moved[0] is before:
        return getattr(before, method)(*moved[1:], **kwargs)
    if name == "pad":
        pad: Any = torch.nn.functional.pad
        return pad(*moved, **kwargs)
    return before if function is None else function(*moved, **kwargs)


def _exchanged(given: Any, x: Tensor, before: Tensor) -> Any:
    if type(given) in (list, tuple) and any(each is x for each in given):
        return type(given)(before if each is x else each for each in given)
    return given
