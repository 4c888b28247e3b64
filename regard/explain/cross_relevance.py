"""Relevance through an encoder and a decoder."""

from dataclasses import dataclass

from torch import Tensor

from regard.explain._layers import (
    Layers,
    read_layers,
    require_chain,
    require_pairs,
    require_same_shapes,
    require_source,
)
from regard.explain.bimodal import Bimodal
from regard.explain.explanation import Explanation
from regard.explain.rollout import QUERY_KEY


@dataclass(frozen=True)
class CrossRelevance:
    """What is relevant to a decoder's tokens.

    Args:
        source: the encoder's inputs, `[batch, query, key]`.
        target: the decoder's own, `[batch, query, key]`.
    """

    source: Explanation
    target: Explanation


def cross_relevance(
    encoder: tuple[Layers, Layers] | None,
    decoder: tuple[Layers, Layers],
    cross: tuple[Layers, Layers],
) -> CrossRelevance:
    """Relevance through an encoder and a decoder, each of whose layers attends to both.

    `Bimodal`, applied to the encoder's layers and then, layer by layer, to the decoder's
    self-attention and cross-attention.

    Args:
        encoder: its weights and their gradients; None treats its outputs as the inputs.
        decoder: the same for each layer's self-attention.
        cross: the same for each layer's cross-attention.

    Raises:
        ValueError, TypeError: as `relevance`; or layers and lengths that do not fit together.

    Example:
        >>> import torch
        >>> own, other = torch.eye(2).expand(1, 1, 1, 2, 2), torch.ones(1, 1, 1, 2, 1)
        >>> found = cross_relevance(None, (own, own), (other, other))
        >>> found.source.values[0].T, found.target.values[0]
        (tensor([[2., 2.]]), tensor([[2., 0.],
                [0., 2.]]))

    References:
        Chefer, Gur & Wolf. Generic Attention-Model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers. 2021. https://arxiv.org/abs/2103.15679
    """
    owner = "cross_relevance"
    selves, selves_slope = _read_pair(owner, "decoder", decoder)
    crosses, crosses_slope = _read_pair(owner, "cross", cross)
    require_chain(owner, selves, "decoder")
    require_pairs(owner, selves, crosses)
    batch, first, second = len(selves[0]), selves[0].shape[2], crosses[0].shape[3]
    if encoder is not None:
        layers, slopes = _read_pair(owner, "encoder", encoder)
        require_chain(owner, layers, "encoder")
        require_source(owner, crosses, layers[-1][:, 0])
        state = Bimodal.begin(batch, first, layers[0].shape[3], selves[0]).turned()
        for layer, slope in zip(layers, slopes, strict=True):
            state = state.first_attends_first(layer, slope)
        state = state.turned()
    else:
        state = Bimodal.begin(batch, first, second, selves[0])
        require_source(owner, crosses, state.r_bb)
    for own, own_slope, other, other_slope in zip(
        selves, selves_slope, crosses, crosses_slope, strict=True
    ):
        state = state.first_attends_first(own, own_slope)
        state = state.first_attends_second(other, other_slope)
    return CrossRelevance(Explanation(state.r_ab, QUERY_KEY), Explanation(state.r_aa, QUERY_KEY))


def _read_pair(
    owner: str, name: str, pair: tuple[Layers, Layers]
) -> tuple[list[Tensor], list[Tensor]]:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            f"{owner} needs {name} as two, the weights and their gradients, got "
            f"{type(pair).__name__}; write {name}=(weights, gradients)."
        )
    layers = read_layers(owner, pair[0], name=name)
    slopes = read_layers(owner, pair[1], name=f"gradients of {name}", signed=True)
    require_same_shapes(owner, layers, slopes, (name, "its gradients"))
    return layers, slopes
