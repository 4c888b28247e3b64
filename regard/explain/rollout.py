"""Attention rollout: what each token is made of, through all layers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from regard.explain._fusion import Fusion, beside_residual, fused, require_fusion
from regard.explain._layers import Layers, read_layers, require_chain, require_share
from regard.explain.explanation import Explanation

QUERY_KEY = ("batch", "query", "key")


def rollout(
    weights: Layers, *, residual: float = 0.5, heads: Fusion = "mean", discard: float = 0.0
) -> Explanation:
    """Follow attention down through all layers, the residuals beside it included.

        R_0 = I,   R_l = (r I + (1 - r) A_l) R_{l-1},   A_l = fusion of the heads of layer l

    Every `A_l` is divided by the sums of its rows over the keys that a query may see, so that each
    row of the result sums to one, under any mask: a causal network's rollout is causal. That is
    checked of what is given, and the error says in which layer a row does not. A query that sees
    nothing is its residual alone.

    In a causal network early tokens win, whatever it does: weight only ever moves to the front, and
    the first token has nowhere to send it. Equal weights too give it 0.8 of the last of 16 tokens
    after 12 layers. `rollout_over_uniform` says what is more than that; of `without_sink` the
    first token is left out.

    Args:
        weights: `[layers, batch, heads, q_len, k_len]`, or one of these of each layer, the first
            layer first. Where a layer has other queries than keys (pooling), no residual is there.
        residual: the share of a token that stays itself, `r`; half, in the paper.
        heads: how those of a layer become one matrix.
        discard: the share of each row's weights that are set to zero, the lowest first. (The code
            from which the idea comes took it of the whole matrix, of the first item of the batch,
            which empties the late rows of a causal network.)

    Returns:
        `[batch, query, key]`: of the last layer's queries, of the first layer's keys.

    Raises:
        ValueError, TypeError: not weights, rows that do not sum to one, layers that do not follow
            one another, or shares that are none.

    Example:
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
    return Explanation(_rolled("rollout", layers, residual, heads, discard), QUERY_KEY)


def rollout_over_uniform(
    weights: Layers, *, residual: float = 0.5, heads: Fusion = "mean", discard: float = 0.0
) -> Explanation:
    """Rollout divided by that of equal weights: what a token gets beyond what its place gives it.

        R_qk / U_qk,   U the rollout with every A_l even over the keys that a query may see

    1 is what any network with this mask and depth would give. A key counts as one that a query may
    see where any head has a weight on it. Arguments, errors and sources are those of `rollout`.

    Returns:
        `[batch, query, key]`; 0 where nothing can come from.

    Example:
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
    found = _rolled(owner, layers, residual, heads, discard)
    usual = _rolled(owner, even, residual, "mean", 0.0)
    return Explanation(found / usual.where(usual > 0, usual.new_ones(())), QUERY_KEY)


@dataclass(frozen=True)
class CrossRollout:
    """What the tokens of a decoder are made of; both rows of one query together sum to one.

    Args:
        source: of the encoder's inputs, `[batch, query, key]`.
        target: of the decoder's own, `[batch, query, key]`.
    """

    source: Explanation
    target: Explanation


def cross_rollout(
    encoder: Layers | None,
    decoder: Layers,
    cross: Layers,
    *,
    residual: float = 0.5,
    heads: Fusion = "mean",
) -> CrossRollout:
    """Rollout through an encoder and a decoder, each of whose layers attends to both.

        T <- D_l T,  S <- D_l S                        self-attention, D_l = r I + (1 - r) A_l
        T <- r T,    S <- r S + (1 - r) C_l E          cross-attention, E the encoder's rollout

    with `T = I`, `S = 0` before the first layer. (The paper has encoders alone; this is its rule
    for a sum of two parts.) Where a query sees nothing of the source, all of it is residual.

    Args:
        encoder: the encoder's weights; None takes what it gives as the source, `E = I`.
        decoder: the self-attention of each layer of the decoder.
        cross: the cross-attention of each of them, `[batch, heads, q_len, source_len]`.
        residual: the share that stays, `r`, in both.

    Raises:
        ValueError, TypeError: as `rollout`; or layers and lengths that do not fit together.

    Example:
        >>> own, other = torch.eye(2).expand(1, 1, 1, 2, 2), torch.ones(1, 1, 1, 2, 1)
        >>> found = cross_rollout(None, own, other)
        >>> found.source.values, found.target.values
        (tensor([[[0.5000],
                 [0.5000]]]), tensor([[[0.5000, 0.0000],
                 [0.0000, 0.5000]]]))

    References:
        Abnar & Zuidema. Quantifying Attention Flow in Transformers. 2020.
        https://arxiv.org/abs/2005.00928
    """
    selves = read_layers("cross_rollout", decoder, name="decoder", normalized=True)
    crosses = read_layers("cross_rollout", cross, name="cross", normalized=True)
    require_chain("cross_rollout", selves, "decoder")
    require_pairs("cross_rollout", selves, crosses)
    if encoder is None:
        size, like = crosses[0].shape[-1], crosses[0]
        below = torch.eye(size, dtype=like.dtype, device=like.device).expand(len(like), -1, -1)
    else:
        layers = read_layers("cross_rollout", encoder, name="encoder", normalized=True)
        require_chain("cross_rollout", layers, "encoder")
        below = _rolled("cross_rollout", layers, residual, heads, 0.0)
    require_source("cross_rollout", crosses, below)
    target = torch.eye(selves[0].shape[-1], dtype=below.dtype, device=below.device)
    target = target.expand(len(below), -1, -1)
    source = below.new_zeros(len(below), target.shape[-1], below.shape[-1])
    for own, other in zip(selves, crosses, strict=True):
        step = _step("cross_rollout", own, residual, heads, 0.0)
        looked = fused(other, heads, 0.0)
        stays = (looked.sum(-1, keepdim=True) == 0).to(looked.dtype) * (1.0 - residual) + residual
        target = stays * (step @ target)
        source = stays * (step @ source) + (1.0 - residual) * (looked @ below)
    return CrossRollout(Explanation(source, QUERY_KEY), Explanation(target, QUERY_KEY))


def require_pairs(owner: str, selves: list[Tensor], crosses: list[Tensor]) -> None:
    """Raise `ValueError` where self- and cross-attention are not of the same layers."""
    if len(selves) != len(crosses):
        raise ValueError(
            f"{owner} needs decoder and cross of the same layers, got {len(selves)} and "
            f"{len(crosses)} of them."
        )
    for number, (own, other) in enumerate(zip(selves, crosses, strict=True)):
        if (own.shape[0], own.shape[2]) != (other.shape[0], other.shape[2]):
            raise ValueError(
                f"{owner}: in layer {number}, decoder is of {own.shape[0]} items with "
                f"{own.shape[2]} queries, cross of {other.shape[0]} with {other.shape[2]}; give "
                "both of the same call."
            )


def require_source(owner: str, crosses: list[Tensor], below: Tensor) -> None:
    """Raise `ValueError` where cross-attention does not read what the encoder gives."""
    for number, other in enumerate(crosses):
        if (other.shape[0], other.shape[3]) != (below.shape[0], below.shape[1]):
            raise ValueError(
                f"{owner}: cross of layer {number} reads {other.shape[3]} tokens of "
                f"{other.shape[0]} items, and the encoder gives {below.shape[1]} of "
                f"{below.shape[0]}; give both of the same call."
            )


def _rolled(
    owner: str, layers: list[Tensor], residual: float, heads: Fusion, discard: float
) -> Tensor:
    steps = (_step(owner, layer, residual, heads, discard) for layer in layers)
    total = next(steps)
    for step in steps:
        total = step @ total
    return total


def _step(owner: str, layer: Tensor, residual: float, heads: Fusion, discard: float) -> Tensor:
    require_fusion(owner, heads)
    share = require_share(owner, "residual", residual)
    one = fused(layer, heads, require_share(owner, "discard", discard))
    return beside_residual(one, share)
