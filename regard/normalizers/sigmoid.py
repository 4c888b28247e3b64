"""Sigmoid: every key is weighted independently."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import close, in_dtype_of


def sigmoid(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """Weights in (0, 1) that do not compete: a key's weight depends on its own score alone.

        weights_j = 1 / (1 + exp(-scores_j))

    The paper adds a bias of about -log(k_len) to the scores so that the output starts at the
    magnitude softmax would give; here that is a score modification, for instance
    `Bias(torch.full((1, 1, 1, 1), -math.log(k_len)))`.

    Example:
        >>> sigmoid(torch.tensor([[0.0, 100.0, -100.0]]))
        tensor([[0.5000, 1.0000, 0.0000]])

    References:
        Jason Ramapuram, Federico Danieli, Eeshan Dhekane, et al. Theory, Analysis, and Best
        Practices for Sigmoid Self-Attention. 2024. https://arxiv.org/abs/2409.04431
    """
    filled, closed = close(scores, where)
    return in_dtype_of(scores, torch.sigmoid(filled).masked_fill(closed, 0.0))
