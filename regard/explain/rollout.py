"""Attention rollout: what each token is made of, through all layers."""

from torch import Tensor

from regard.explain._fusion import Fusion, beside_residual, fused, require_fusion
from regard.explain._layers import Layers, read_layers, require_chain, require_share
from regard.explain.explanation import Explanation

QUERY_KEY = ("batch", "query", "key")


def rollout(
    weights: Layers, *, residual: float = 0.5, heads: Fusion = "mean", discard: float = 0.0
) -> Explanation:
    """Propagate attention through all layers, including the residual connections.

        R_0 = I,   R_l = (r I + (1 - r) A_l) R_{l-1},   A_l = fusion of the heads of layer l

    Every `A_l` is normalized over the keys that a query may see, so that each row of the result
    sums to one, under any mask: a causal network's rollout is causal. The input is checked for
    this, and the error says in which layer a row does not. A query that sees nothing is only its
    residual.

    In a causal network early tokens win, whatever it does: weight only ever moves toward the
    start, and the first token has nowhere to send it. Even equal weights give it 0.8 of the last
    of 16 tokens after 12 layers. `rollout_over_uniform` shows what exceeds that; `without_sink`
    leaves the first token out.

    Args:
        weights: `[layers, batch, heads, q_len, k_len]`, or one tensor per layer, the first layer
            first. Where a layer has different queries than keys (pooling), there is no residual.
        residual: the residual's share, `r`; half, in the paper.
        heads: how the heads of a layer are fused into one matrix.
        discard: the fraction of each row's weights that are set to zero, the lowest first. (The
            code in which the idea originated applies it to the whole matrix, for the first item of
            the batch, which empties the late rows of a causal network.)

    Returns:
        `[batch, query, key]`: the last layer's queries over the first layer's keys.

    Raises:
        ValueError, TypeError: not weights, rows that do not sum to one, layers that do not fit one
            another, or an invalid share.

    Example:
        >>> import torch
        >>> A = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).expand(2, 1, 1, 2, 2)
        >>> rollout(A).values
        tensor([[[1.0000, 0.0000],
                 [0.4375, 0.5625]]])

    References:
        Abnar & Zuidema. Quantifying Attention Flow in Transformers. 2020.
        https://arxiv.org/abs/2005.00928
    """
    layers = read_layers("rollout", weights, normalized=True)
    require_chain("rollout", layers)
    return Explanation(rolled("rollout", layers, residual, heads, discard), QUERY_KEY)


def rollout_over_uniform(
    weights: Layers, *, residual: float = 0.5, heads: Fusion = "mean", discard: float = 0.0
) -> Explanation:
    """Rollout divided by that of equal weights: what a token gets beyond its position's share.

        R_qk / U_qk,   U the rollout with every A_l even over the keys that a query may see

    1 is what uniform attention with this mask and depth gives. A key counts as visible to a query
    if any head has weight on it. Arguments, errors and sources are those of `rollout`.

    Returns:
        `[batch, query, key]`; 0 where nothing can flow.

    Example:
        >>> import torch
        >>> even = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).expand(2, 1, 1, 2, 2)
        >>> rollout_over_uniform(even).values
        tensor([[[1., 0.],
                 [1., 1.]]])
    """
    owner = "rollout_over_uniform"
    layers = read_layers(owner, weights, normalized=True)
    require_chain(owner, layers)
    seen = [(layer > 0).any(1, keepdim=True).to(layer.dtype) for layer in layers]
    even = [each / each.sum(-1, keepdim=True).clamp(min=1) for each in seen]
    found = rolled(owner, layers, residual, heads, discard)
    usual = rolled(owner, even, residual, "mean", 0.0)
    return Explanation(found / usual.where(usual > 0, usual.new_ones(())), QUERY_KEY)


def rolled(
    owner: str, layers: list[Tensor], residual: float, heads: Fusion, discard: float
) -> Tensor:
    """The product of all layers, the last one first, `[batch, query, key]`."""
    steps = (step(owner, layer, residual, heads, discard) for layer in layers)
    total = next(steps)
    for each in steps:
        total = each @ total
    return total


def step(owner: str, layer: Tensor, residual: float, heads: Fusion, discard: float) -> Tensor:
    """`r I + (1 - r) A` of one layer; `ValueError` for an invalid share or fusion."""
    require_fusion(owner, heads)
    share = require_share(owner, "residual", residual)
    one = fused(layer, heads, require_share(owner, "discard", discard))
    return beside_residual(one, share)
