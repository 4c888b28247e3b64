"""Weights times values, element by element, and their sum."""

from collections.abc import Mapping
from typing import Any

from regard.capturing.provenance import Weighted
from regard.capturing.trail import Trail
from regard.capturing.written_out import told


def total(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """A sum over the axis of the softmax."""
    node = trail.known.of(args[0]) if args else None
    if not isinstance(node, Weighted):
        return
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if isinstance(dim, (list, tuple)) and len(dim) == 1:
        dim = dim[0]
    if not isinstance(dim, int) or node.node.axis is None:
        return
    key = dim % args[0].ndim - (args[0].ndim - node.weights.ndim)
    if key == node.node.axis and node.weights.shape[key] > 1:
        lead = node.weights.ndim - node.values.ndim
        is_query = [
            place != key and size > 1 and (place < lead or node.values.shape[place - lead] == 1)
            for place, size in enumerate(node.weights.shape)
        ]
        ones = [place for place, size in enumerate(node.weights.shape) if size == 1]
        weights = node.weights
        for place in reversed(ones):
            if weights.ndim > 2 and place != 0:
                weights = weights.squeeze(place)
                is_query.pop(place)
                key -= place < key
        told(trail, node.node, weights, key, is_query)
