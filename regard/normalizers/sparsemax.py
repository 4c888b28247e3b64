"""Sparsemax, a softmax with exact zeros."""

from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._support import ScoreRows, newton, sparse_weights


def sparsemax(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """The point of the probability simplex nearest to the scores.

        weights_j = max(0, scores_j - tau)      with tau such that the weights sum to one
        tau = (sum of the scores in the support - 1) / size of the support

    Most weights are exactly zero. The paper finds the support by sorting the keys; here Newton's
    method finds the largest weight, and with it the support, in a few passes.

    Example:
        >>> import torch
        >>> sparsemax(torch.tensor([[1.0, 0.5, -1.0]]))
        tensor([[0.7500, 0.2500, 0.0000]])

    References:
        André Martins, Ramón Astudillo. From Softmax to Sparsemax: A Sparse Model of Attention and
        Multi-Label Classification. 2016. https://arxiv.org/abs/1602.02068
    """
    return sparse_weights(scores, where, 1.0, _largest, _weigh)


def _largest(rows: ScoreRows, s: Tensor, upper: Tensor) -> Tensor:
    """The largest weight u, where sum(max(0, gap + u)) = 1."""

    def step(u: Tensor) -> Tensor:
        inside = (rows.gaps + rows.spread(u)).clamp_min_(0.0)
        excess = rows.total(inside) - 1.0
        return u - excess / rows.total(inside.sign_()).clamp_min(1.0)

    return newton(upper, step)


def _weigh(rows: ScoreRows, u: Tensor, s: Tensor) -> Tensor:
    outside = rows.outside(u)
    inside = rows.gaps.masked_fill(outside, 0.0)
    size = rows.total((~outside).to(u.dtype)).clamp_min(1.0)
    tau = (rows.total(inside) - 1.0) / size
    return (inside - rows.spread(tau)).clamp_min(0.0).masked_fill(outside, 0.0)
