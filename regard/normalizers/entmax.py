"""Entmax, the family from softmax (alpha 1) through sparsemax (alpha 2) toward the arg max."""

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from regard._numbers import number
from regard._pairwise import Number
from regard.normalizers._above_two import entmax_above_two
from regard.normalizers._support import ScoreRows, newton, sparse_weights
from regard.normalizers._terms import largest, weigh_terms
from regard.normalizers.softmax import softmax
from regard.normalizers.sparsemax import sparsemax


@dataclass(frozen=True)
class Entmax:
    """Weights with exact zeros; the larger alpha, the more zeros.

        weights_j = max(0, (alpha - 1) scores_j - tau)^(1 / (alpha - 1))

    with tau such that the weights sum to one. Alpha 1 is softmax and 2 is sparsemax; 1.5 has a
    closed form given the support; any other alpha is solved by Newton's method, above 2 in float64.
    There the gradient grows without bound as a weight approaches zero, or as scores approach each
    other at a large alpha; it may overflow.
    Raises ValueError when `alpha` is less than 1 or not finite, TypeError when it is not a number.

    Example:
        >>> import torch
        >>> Entmax(alpha=1.5)(torch.tensor([[2.0, 2.0, -1.0]]))
        tensor([[0.5000, 0.5000, 0.0000]])

    References:
        Ben Peters, Vlad Niculae, André Martins. Sparse Sequence-to-Sequence Models. 2019.
        https://arxiv.org/abs/1905.05702
    """

    alpha: Number = 1.5

    def __post_init__(self) -> None:
        if isinstance(self.alpha, Tensor):
            raise TypeError(
                "Entmax needs alpha to be a plain number, got a tensor; pass float(alpha), or "
                "normalizer=LearnedEntmax() to learn it"
            )
        hint = "1 is softmax, 2 is sparsemax, and normalizer=hard is the limit of large alpha"
        alpha = number("Entmax", "alpha", self.alpha, above=-math.inf, hint=hint)
        if alpha < 1.0:
            raise ValueError(f"Entmax needs alpha >= 1, got {alpha:g}; {hint}.")
        object.__setattr__(self, "alpha", alpha)

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        if self.alpha == 1.0:
            return softmax(scores, where)
        if self.alpha == 1.5:
            return sparse_weights(scores, where, 0.5, _largest_15, _weigh_15)
        if self.alpha == 2.0:
            return sparsemax(scores, where)
        if self.alpha > 2.0:
            return entmax_above_two(scores, where, self.alpha - 1.0)
        return sparse_weights(scores, where, self.alpha - 1.0, largest, weigh_terms)


def _largest_15(rows: ScoreRows, s: Tensor, upper: Tensor) -> Tensor:
    """The largest weight u, where sum(max(0, gap / 2 + sqrt(u))^2) = 1."""

    def step(u: Tensor) -> Tensor:
        root = 2.0 * u.sqrt()
        doubled = (rows.gaps + rows.spread(root)).clamp_min_(0.0)
        slope = (rows.total(doubled) / root).clamp_min(1.0)
        return u - (0.25 * rows.total(doubled * doubled) - 1.0) / slope

    return newton(upper, step)


def _weigh_15(rows: ScoreRows, u: Tensor, s: Tensor) -> Tensor:
    """With tau = mean - sqrt((1 - sum of squared deviations) / size), over the support."""
    halved = 0.5 * rows.gaps
    outside = rows.outside(2.0 * u.sqrt())
    inside = halved.masked_fill(outside, 0.0)
    size = rows.total((~outside).to(u.dtype)).clamp_min(1.0)
    mean = rows.total(inside) / size
    deviation = (inside - rows.spread(mean)).masked_fill(outside, 0.0)
    tau = mean - ((1.0 - rows.total(deviation.square())) / size).sqrt()
    return (inside - rows.spread(tau)).clamp_min(0.0).masked_fill(outside, 0.0).square()
