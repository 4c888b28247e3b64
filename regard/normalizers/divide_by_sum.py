"""Division by the sum, for scores that are already non-negative."""

from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import at_least_float32, closed_pairs, in_dtype_of


def divide_by_sum(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """Scores divided by their sum over the permitted keys.

        weights_j = scores_j / sum_i scores_i

    With a feature map as score this is linear attention. The scores are meant to be non-negative;
    with mixed signs, so are the weights, and the sum may approach zero. A sum of exactly zero
    gives zeros, in the weights and in every gradient.

    Example:
        >>> import torch
        >>> divide_by_sum(torch.tensor([[1.0, 3.0, 5.0]]), torch.tensor([True, True, False]))
        tensor([[0.2500, 0.7500, 0.0000]])

    References:
        Angelos Katharopoulos, Apoorv Vyas, Nikolaos Pappas, François Fleuret. Transformers are
        RNNs: Fast Autoregressive Transformers with Linear Attention. 2020.
        https://arxiv.org/abs/2006.16236
    """
    closed = closed_pairs(scores, where)
    permitted = at_least_float32(scores).masked_fill(closed, 0.0)
    total = permitted.sum(dim=-1, keepdim=True)
    empty = total == 0.0
    weights = permitted / total.masked_fill(empty, 1.0)
    return in_dtype_of(scores, weights.masked_fill(closed | empty, 0.0))
