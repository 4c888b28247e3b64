"""Weights that are dropped: those before are shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from regard.capturing.provenance import Weights
from regard.capturing.sums_to_one import as_weights
from regard.capturing.trail import Trail


def dropout(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """What is dropped is known as it was before."""
    node = trail.known.of(args[0]) if args else None
    if node is None or not isinstance(out, Tensor) or out is args[0]:
        return
    node = as_weights(args[0], node, -1)  # afterwards they no longer sum to one
    if isinstance(node, Weights):
        before = args[0] if node.before is None else node.before
        node = replace(node, before=before)
    trail.known.note(out, node)


def before_dropout(trail: Trail, args: Any, kwargs: Mapping[str, Any]) -> None:
    """Copy weights that will be dropped in place."""
    node = trail.known.of(args[0]) if args else None
    if isinstance(node, Weights) and node.before is None:
        if kwargs.get("inplace") or (len(args) > 3 and args[3]):
            trail.known.note(args[0], replace(node, before=args[0].detach().clone()))


def before_dropout_(trail: Trail, args: Any, kwargs: Mapping[str, Any]) -> None:
    """Copy what a function drops in place by its name."""
    before_dropout(trail, args, {"inplace": True})
