"""Attention flow: how much of one token can reach another through the whole network."""

from collections.abc import Iterable

import numpy as np
import torch

from regard.explain._fusion import Fusion, beside_residual, fused, require_fusion
from regard.explain._layers import (
    Layers,
    positions_in,
    read_layers,
    require_chain,
    require_share,
)
from regard.explain._max_flow import max_flow
from regard.explain.explanation import Explanation


def flow(
    weights: Layers,
    queries: Iterable[int] | None = None,
    keys: Iterable[int] | None = None,
    *,
    residual: float = 0.5,
    heads: Fusion = "mean",
) -> Explanation:
    """The maximum flow from each query of the last layer to each key of the first.

    Tokens are nodes, and between the tokens above and below a layer there are edges with the
    capacities `r I + (1 - r) A_l`, whose rows sum to one. Where rollout divides flow in fixed
    shares, a maximum flow may take any path with capacity left: it is never below rollout, at most
    one, and its rows sum to more than one. Each pair is a separate problem: with 12 layers and 64
    tokens, a row of 64 pairs takes seconds, so request only the queries that matter.

    Args:
        weights: as in `rollout`.
        queries: indices in the last layer; all if None. Negative ones count from the end.
        keys: indices in the first layer; all if None.
        residual: the residual's share, `r`.
        heads: how the heads of a layer are fused into one matrix.

    Returns:
        `[batch, query, key]`, of those requested.

    Raises:
        ValueError, TypeError, IndexError: as `rollout`; or a query or key that does not exist.

    Example:
        >>> A = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).expand(2, 1, 1, 2, 2)
        >>> flow(A, queries=[-1]).values
        tensor([[[0.5000, 0.7500]]])

    References:
        Abnar & Zuidema. Quantifying Attention Flow in Transformers. 2020.
        https://arxiv.org/abs/2005.00928
    """
    layers = read_layers("flow", weights, normalized=True)
    require_chain("flow", layers)
    require_fusion("flow", heads)
    share = require_share("flow", "residual", residual)
    q_len, k_len = layers[-1].shape[2], layers[0].shape[3]
    sources = range(q_len) if queries is None else positions_in("flow", "queries", queries, q_len)
    targets = range(k_len) if keys is None else positions_in("flow", "keys", keys, k_len)
    edges = [beside_residual(fused(each, heads, 0.0), share).detach() for each in layers]
    size = max(max(each.shape[1:]) for each in edges)
    capacity = np.zeros((len(edges[0]), len(edges), size, size))
    for number, each in enumerate(edges):
        capacity[:, number, : each.shape[1], : each.shape[2]] = each.cpu().double().numpy()
    found = [
        [[max_flow(item, source, target) for target in targets] for source in sources]
        for item in capacity
    ]
    shape = len(capacity), len(sources), len(targets)
    values = torch.tensor(found, dtype=torch.float64).reshape(shape).to(layers[0])
    return Explanation(values, ("batch", "query", "key"))
