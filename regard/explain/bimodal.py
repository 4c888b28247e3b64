"""Relevance in two streams of tokens that attend to each other."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import read_layer, require_same_shapes
from regard.explain.relevance import eye, step


@dataclass(frozen=True, eq=False)
class Bimodal:
    """The relevance of two streams of tokens that attend to themselves and to each other.

    `r_ab` is how relevant the inputs of b are to the tokens of a. Start with `Bimodal.begin`, then
    apply each attention in the order in which the network runs them: each returns a new `Bimodal`.

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
        """Before any attention: each of `first` and `second` tokens is relevant only to itself.

        `like` is a tensor with their dtype and device.
        """
        like = torch.empty(0) if like is None else like
        own, other = (torch.eye(n).to(like).expand(batch, -1, -1) for n in (first, second))
        none = own.new_zeros(batch, first, second)
        return cls(own, none, none.mT, other)

    def first_attends_first(self, weights: Tensor, gradients: Tensor) -> "Bimodal":
        """The first stream's self-attention."""
        each = self._step(weights, gradients, self.r_aa, self.r_aa)
        return Bimodal(
            self.r_aa + each @ self.r_aa, self.r_ab + each @ self.r_ab, self.r_ba, self.r_bb
        )

    def first_attends_second(self, weights: Tensor, gradients: Tensor) -> "Bimodal":
        """The first stream's queries, with keys and values of the second."""
        each = self._step(weights, gradients, self.r_aa, self.r_bb)
        across = _normalized(self.r_aa).mT @ each @ _normalized(self.r_bb)
        return Bimodal(self.r_aa + each @ self.r_ba, self.r_ab + across, self.r_ba, self.r_bb)

    def turned(self) -> "Bimodal":
        """The same with the streams swapped, to apply what the second attends to."""
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
        return step(layer, slope).to(reads)


def _normalized(found: Tensor) -> Tensor:
    ones = eye(found)
    rest = found - ones
    sums = rest.sum(-1, keepdim=True)
    return rest / sums.where(sums != 0, sums.new_ones(())) + ones
