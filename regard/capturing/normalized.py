"""Scores that become weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from regard.capturing.factors import version_of
from regard.capturing.provenance import Scores, Weights
from regard.capturing.trail import Trail

MOST_BYTES = 16 << 20
"""Beyond these, scores are let go when the module lets them go."""


def softmax(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """Weights over an axis that no parameter made."""
    given = dict(zip(("input", "tau", "hard", "eps", "dim"), args, strict=False))
    if name != "gumbel_softmax":
        given = dict(zip(("input", "dim"), args, strict=False))
    given |= kwargs
    x, dim = given.get("input"), given.get("dim", -1)
    if not isinstance(x, Tensor) or not isinstance(dim, int) or out.ndim == 0:
        return
    node, axis = trail.known.of(x), dim % out.ndim
    if not isinstance(node, Scores) or axis in node.features:
        trail.known.forget(out)
        return
    trail.known.note(out, made_of(x, node, name.strip("_").removeprefix("safe_"), axis))


def sigmoid(trail: Trail, name: str, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
    """Weights that do not compete, of scores of two tensors."""
    node = trail.known.of(args[0]) if args else None
    if isinstance(node, Scores) and node.of_two and isinstance(out, Tensor):
        trail.known.note(out, made_of(args[0], node, "sigmoid", None))


def made_of(x: Tensor, node: Scores, normalizer: str, axis: int | None) -> Weights:
    """Weights of scores, which are kept beside them where the arithmetic is shown from them."""
    factors = node.factors
    kept = factors is not None and not factors.is_all and x.nbytes <= MOST_BYTES
    return Weights(node, normalizer, axis, given=(x.detach(), version_of(x)) if kept else None)
