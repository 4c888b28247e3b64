"""Scores used as weights."""

from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import closed_pairs


def unnormalized(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """The scores themselves, 0 where masked: attention without its second step.

        weights_j = scores_j

    Weights may be negative, and they do not sum to one. ABCNN uses this for matching, the paper's
    Deep Interest Network to weight a history, and memory networks early in training ("linear
    start").

    Example:
        >>> import torch
        >>> unnormalized(torch.tensor([[0.5, -2.0, 9.0]]), torch.tensor([True, True, False]))
        tensor([[ 0.5000, -2.0000,  0.0000]])

    References:
        Sainbayar Sukhbaatar, Arthur Szlam, Jason Weston, Rob Fergus. End-To-End Memory Networks.
        2015. https://arxiv.org/abs/1503.08895
        Guorui Zhou, Xiaoqiang Zhu, Chenru Song, et al. Deep Interest Network for Click-Through Rate
        Prediction. 2018. https://arxiv.org/abs/1706.06978
    """
    return scores.masked_fill(closed_pairs(scores, where), 0.0)
