"""Attention rollout through an encoder and a decoder."""

from dataclasses import dataclass

import torch

from regard.explain._fusion import Fusion, fused
from regard.explain._layers import (
    Layers,
    alike,
    read_layers,
    require_chain,
    require_pairs,
    require_source,
)
from regard.explain.explanation import Explanation
from regard.explain.rollout import QUERY_KEY, rolled, step


@dataclass(frozen=True)
class CrossRollout:
    """What the tokens of a decoder are made of; the two rows of a query together sum to one.

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

    with `T = I`, `S = 0` before the first layer. (The paper covers only encoders; this is its rule
    for a sum of two parts.) A query that sees nothing of the source is all residual.

    Args:
        encoder: the encoder's weights; None treats its outputs as the source, `E = I`.
        decoder: the self-attention of each decoder layer.
        cross: the cross-attention of each, `[batch, heads, q_len, source_len]`.
        residual: the residual's share, `r`, in both.

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
    layers = [] if encoder is None else read_layers(
        "cross_rollout", encoder, name="encoder", normalized=True
    )  # fmt: skip
    require_chain("cross_rollout", layers, "encoder")
    selves, crosses, layers = alike(selves, crosses, layers)
    if not layers:
        size, like = crosses[0].shape[-1], crosses[0]
        below = torch.eye(size, dtype=like.dtype, device=like.device).expand(len(like), -1, -1)
    else:
        below = rolled("cross_rollout", layers, residual, heads, 0.0)
    require_source("cross_rollout", crosses, below)
    target = torch.eye(selves[0].shape[-1], dtype=below.dtype, device=below.device)
    target = target.expand(len(below), -1, -1)
    source = below.new_zeros(len(below), target.shape[-1], below.shape[-1])
    for own, other in zip(selves, crosses, strict=True):
        own_step = step("cross_rollout", own, residual, heads, 0.0)
        looked = fused(other, heads, 0.0)
        stays = (looked.sum(-1, keepdim=True) == 0).to(looked.dtype) * (1.0 - residual) + residual
        target = stays * (own_step @ target)
        source = stays * (own_step @ source) + (1.0 - residual) * (looked @ below)
    return CrossRollout(Explanation(source, QUERY_KEY), Explanation(target, QUERY_KEY))
