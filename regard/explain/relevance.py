"""Relevance: rollout in which a weight counts by its gradient, in one stream of tokens or two."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import (
    Layers,
    read_layer,
    read_layers,
    require_chain,
    require_same_shapes,
)
from regard.explain.explanation import Explanation
from regard.explain.rollout import QUERY_KEY, require_pairs, require_source


def relevance(weights: Layers, gradients: Layers) -> Explanation:
    """How relevant each input is to each token, for the score whose gradients these are.

        R_0 = I,   R_l = R_{l-1} + Ā_l R_{l-1},   Ā_l = mean over heads of max(∇A_l ⊙ A_l, 0)

    Rows do not sum to one. The relevance of an input to itself holds the 1 with which it begins, so
    that it is often left out where a row is drawn.

    Args:
        weights: `[layers, batch, heads, len, len]`, or one of these of each layer, the first layer
            first.
        gradients: of a score, by these weights; of a batch, of the sum of all items' scores.

    Returns:
        `[batch, query, key]`.

    Raises:
        ValueError, TypeError: not weights, non-finite numbers, shapes that differ, or layers with
            other queries than keys.

    Example:
        >>> A = torch.full((1, 1, 1, 2, 2), 0.5)
        >>> relevance(A, torch.tensor([[[[[1.0, -1.0], [4.0, 0.0]]]]])).values
        tensor([[[1.5000, 0.0000],
                 [2.0000, 1.0000]]])

    References:
        Chefer, Gur & Wolf. Generic Attention-Model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers. 2021. https://arxiv.org/abs/2103.15679
    """
    found: Tensor | None = None
    for step in _steps("relevance", weights, gradients):
        found = _eye(step) if found is None else found
        found = found + step @ found
    assert found is not None  # no layers are an error above
    return Explanation(found, QUERY_KEY)


@dataclass(frozen=True, eq=False)
class Bimodal:
    """The relevance of two streams of tokens that attend to themselves and to each other.

    `r_ab` is how relevant the inputs of b are to the tokens of a. Begin with `Bimodal.begin`, then
    tell it of each attention in the order in which the network runs them: each gives a new one.

        a attends to a:   r_aa += Ā r_aa,   r_ab += Ā r_ab
        a attends to b:   r_ab += n(r_aa)ᵀ Ā n(r_bb),   r_aa += Ā r_ba    (of the r before)
        n(R) = (R - I) / its rows' sums + I

    where `Ā` is that of `relevance`, and a row of `R - I` that is zero stays zero.

    Raises:
        ValueError, TypeError: weights or gradients that do not fit the streams.

    Example:
        >>> A = torch.full((1, 1, 2, 3), 1 / 3)
        >>> Bimodal.begin(1, 2, 3).first_attends_second(A, torch.ones(1, 1, 2, 3)).r_ab[0]
        tensor([[0.3333, 0.3333, 0.3333],
                [0.3333, 0.3333, 0.3333]])

    References:
        Chefer, Gur & Wolf. Generic Attention-Model Explainability for Interpreting Bi-Modal and
        Encoder-Decoder Transformers. 2021. https://arxiv.org/abs/2103.15679
    """

    r_aa: Float[Tensor, "batch a a"]
    r_ab: Float[Tensor, "batch a b"]
    r_ba: Float[Tensor, "batch b a"]
    r_bb: Float[Tensor, "batch b b"]

    @classmethod
    def begin(cls, batch: int, first: int, second: int, like: Tensor | None = None) -> "Bimodal":
        """Before any attention: every token is its own, of `first` and of `second` tokens.

        `like` is a tensor with their dtype and device.
        """
        like = torch.empty(0) if like is None else like
        own, other = (torch.eye(n).to(like).expand(batch, -1, -1) for n in (first, second))
        none = own.new_zeros(batch, first, second)
        return cls(own, none, none.mT, other)

    def first_attends_first(self, weights: Tensor, gradients: Tensor) -> "Bimodal":
        """The first stream's self-attention."""
        step = self._step(weights, gradients, self.r_aa, self.r_aa)
        return Bimodal(
            self.r_aa + step @ self.r_aa, self.r_ab + step @ self.r_ab, self.r_ba, self.r_bb
        )

    def first_attends_second(self, weights: Tensor, gradients: Tensor) -> "Bimodal":
        """The first stream's queries, with keys and values of the second."""
        step = self._step(weights, gradients, self.r_aa, self.r_bb)
        across = _normalized(self.r_aa).mT @ step @ _normalized(self.r_bb)
        return Bimodal(self.r_aa + step @ self.r_ba, self.r_ab + across, self.r_ba, self.r_bb)

    def turned(self) -> "Bimodal":
        """The same with the second stream as the first: what it attends to is told this way."""
        return Bimodal(self.r_bb, self.r_ba, self.r_ab, self.r_aa)

    def _step(self, weights: Tensor, gradients: Tensor, reads: Tensor, read: Tensor) -> Tensor:
        layer = read_layer("Bimodal", weights)
        slope = read_layer("Bimodal", gradients, name="gradients", signed=True)
        require_same_shapes("Bimodal", [layer], [slope], ("weights", "gradients"))
        wanted = len(reads), reads.shape[1], read.shape[1]
        if (layer.shape[0], *layer.shape[2:]) != wanted:
            raise ValueError(
                f"Bimodal: weights {[*layer.shape]} do not fit {wanted[0]} items with "
                f"{wanted[1]} queries and {wanted[2]} keys; say turned() first where it is the "
                "second stream that attends."
            )
        return _step(layer, slope)


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

    `Bimodal`, told of the encoder's layers and then, layer by layer, of the decoder's
    self-attention and cross-attention.

    Args:
        encoder: its weights and their gradients; None takes what it gives as the inputs.
        decoder: those of each layer's self-attention.
        cross: those of each layer's cross-attention.

    Raises:
        ValueError, TypeError: as `relevance`; or layers and lengths that do not fit together.

    Example:
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


def _steps(owner: str, weights: Layers, gradients: Layers) -> list[Tensor]:
    layers = read_layers(owner, weights)
    slopes = read_layers(owner, gradients, name="gradients", signed=True)
    require_same_shapes(owner, layers, slopes, ("weights", "gradients"))
    for number, layer in enumerate(layers):
        if layer.shape[2] != layer.shape[3]:
            raise ValueError(
                f"{owner}: layer {number} has {layer.shape[2]} queries and {layer.shape[3]} keys, "
                "which are other tokens; cross-attention has cross_relevance and Bimodal."
            )
    require_chain(owner, layers)
    return [_step(layer, slope) for layer, slope in zip(layers, slopes, strict=True)]


def _step(layer: Tensor, slope: Tensor) -> Tensor:
    return (layer * slope).clamp(min=0).mean(1)


def _eye(step: Tensor) -> Tensor:
    return torch.eye(step.shape[-1], dtype=step.dtype, device=step.device).expand(len(step), -1, -1)


def _normalized(found: Tensor) -> Tensor:
    eye = _eye(found)
    rest = found - eye
    sums = rest.sum(-1, keepdim=True)
    return rest / sums.where(sums != 0, sums.new_ones(())) + eye
