"""Two maps compared."""

from typing import Any

from regard.explain._layers import HEADS, Layers, read_layers, require_same_shapes
from regard.explain.explanation import ByLayer


def difference(first: Layers, second: Layers) -> ByLayer:
    """The first minus the second, signed: `w_qk - u_qk`.

    For two runs, two inputs of the same length, or two epochs; for two heads, pass
    `w[:, :, [3]]` and `w[:, :, [5]]`.

    Returns:
        `[batch, head, query, key]` of each layer.

    Raises:
        ValueError, TypeError: not weights, or shapes that differ.

    Example:
        >>> import torch
        >>> even, own = torch.full((1, 1, 1, 2, 2), 0.5), torch.eye(2).expand(1, 1, 1, 2, 2)
        >>> difference(own, even)[0].values[0, 0]
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]])
    """
    return ByLayer(tuple(one - other for one, other in _pairs("difference", first, second)), HEADS)


def total_variation(first: Layers, second: Layers) -> ByLayer:
    """How much weight each query has moved: `½ Σ_k |w_qk - u_qk|`, from 0 to 1.

    Returns:
        `[batch, head, query]` of each layer.

    Raises:
        ValueError, TypeError: not weights, rows that do not sum to one, or shapes that differ.

    Example:
        >>> import torch
        >>> even, own = torch.full((1, 1, 1, 2, 2), 0.5), torch.eye(2).expand(1, 1, 1, 2, 2)
        >>> total_variation(own, even)[0].values
        tensor([[[0.5000, 0.5000]]])
    """
    pairs = _pairs("total_variation", first, second, normalized=True)
    return ByLayer(tuple((one - other).abs().sum(-1) / 2 for one, other in pairs), HEADS[:3])


def _pairs(owner: str, first: Layers, second: Layers, **kinds: Any) -> Any:
    one = read_layers(owner, first, name="first", **kinds)
    other = read_layers(owner, second, name="second", **kinds)
    require_same_shapes(owner, one, other, ("first", "second"))
    return zip(one, other, strict=True)
