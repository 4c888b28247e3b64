"""Softmax with an extra key that always scores 0 and has no value."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import close, in_dtype_of


def softmax_one(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """Softmax that may attend to nothing: weights are positive and sum to less than one.

        weights_j = exp(scores_j) / (1 + sum_i exp(scores_i))

    The 1 is a key of score 0 that is appended and dropped again after the softmax, so the usual
    subtraction of the maximum includes it. Scores have an absolute meaning: adding a
    constant to all of them changes the weights.

    Example:
        >>> softmax_one(torch.tensor([[0.0, 0.0, 0.0]]))
        tensor([[0.2500, 0.2500, 0.2500]])

    References:
        Evan Miller. Attention Is Off By One. 2023.
        https://www.evanmiller.org/attention-is-off-by-one.html
    """
    filled, closed = close(scores, where)
    with_nothing = F.pad(filled, (0, 1), value=0.0)
    weights = torch.softmax(with_nothing, dim=-1)[..., :-1]
    return in_dtype_of(scores, weights.masked_fill(closed, 0.0))
