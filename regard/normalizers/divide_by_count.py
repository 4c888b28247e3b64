"""Scores divided by the number of keys: a mean instead of a sum."""

from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import at_least_float32, closed_pairs, in_dtype_of


def divide_by_count(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """Scores divided by how many keys the query may see.

        weights_j = scores_j / N

    The output is the mean of `scores_j * value_j`, whose magnitude does not grow with the map.
    Weights may be negative, and they do not sum to one. With a dot product as score, the weights
    are never materialized: the output is `Q (Kᵀ V) / N`.

    Example:
        >>> import torch
        >>> divide_by_count(torch.tensor([[1.0, -3.0, 5.0]]), torch.tensor([True, True, False]))
        tensor([[ 0.5000, -1.5000,  0.0000]])

    References:
        Xiaolong Wang, Ross Girshick, Abhinav Gupta, Kaiming He. Non-local Neural Networks. 2018.
        https://arxiv.org/abs/1711.07971
    """
    closed = closed_pairs(scores, where)
    count = (~closed).sum(dim=-1, keepdim=True).clamp(min=1)
    permitted = at_least_float32(scores).masked_fill(closed, 0.0)
    return in_dtype_of(scores, permitted / count)
