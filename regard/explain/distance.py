"""How far a query attends."""

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import HEADS, Layers, read_layers
from regard.explain.explanation import ByLayer


def mean_distance(
    weights: Layers, positions: Float[Tensor, " k_len"] | Float[Tensor, "k_len dims"] | None = None
) -> ByLayer:
    """How far each query attends on average: `Σ_k w_qk |p_q - p_k|`.

    With fewer queries than keys the last query is at the last key, as with a cache. A query that
    sees nothing has 0.

    Args:
        positions: positions of the keys, `[k_len]` or, for patches, `[k_len, dims]`, between which
            the distance is Euclidean; consecutive if None.

    Returns:
        `[batch, head, query]` of each layer.

    Raises:
        ValueError, TypeError: not weights, rows that do not sum to one, more queries than keys, or
            a number of positions other than that of the keys.

    Example:
        >>> import torch
        >>> mean_distance(torch.tensor([[[[[1.0, 0.0], [0.5, 0.5]]]]]))[0].values
        tensor([[[0.0000, 0.5000]]])
    """
    found = []
    for number, layer in enumerate(read_layers("mean_distance", weights, normalized=True)):
        q_len, k_len = layer.shape[2:]
        if q_len > k_len:
            raise ValueError(
                f"mean_distance: layer {number} has {q_len} queries and {k_len} keys, which are "
                "other tokens; a distance is one between tokens of the same sequence."
            )
        at = torch.arange(k_len) if positions is None else positions
        if at.shape[0] != k_len or at.ndim > 2:
            raise ValueError(
                f"mean_distance: layer {number} has {k_len} keys, and positions the shape "
                f"{[*at.shape]}; give [{k_len}] or [{k_len}, dims]."
            )
        at = at.to(layer).reshape(k_len, -1)
        apart = torch.cdist(at[k_len - q_len :], at, compute_mode="donot_use_mm_for_euclid_dist")
        found.append((layer * apart).sum(-1))
    return ByLayer(tuple(found), HEADS[:3])
