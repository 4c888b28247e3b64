"""Softmax, the usual way from scores to weights."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import close


def softmax(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """Weights that are positive and sum to one.

        weights_j = exp(scores_j) / sum_i exp(scores_i)

    The sums run over permitted keys. Unlike `torch.softmax`, a row without a permitted key gives
    zeros, in the weights and in every gradient, instead of NaN.

    Example:
        >>> softmax(torch.tensor([[0.0, 0.0, 9.0]]), torch.tensor([True, True, False]))
        tensor([[0.5000, 0.5000, 0.0000]])

    References:
        Dzmitry Bahdanau, Kyunghyun Cho, Yoshua Bengio. Neural Machine Translation by Jointly
        Learning to Align and Translate. 2014. https://arxiv.org/abs/1409.0473
    """
    filled, closed = close(scores, where)
    return torch.softmax(filled, dim=-1).masked_fill(closed, 0.0)


@dataclass(frozen=True)
class Softmax:
    """Softmax of scores divided by a temperature.

        weights = softmax(scores / temperature)

    A temperature below 1 sharpens towards the arg max, above 1 flattens towards the mean.
    Raises ValueError when `temperature` is not a positive finite number.

    Example:
        >>> Softmax(temperature=0.5)(torch.tensor([[0.0, 0.5 * math.log(3.0)]]))
        tensor([[0.2500, 0.7500]])

    References:
        Geoffrey Hinton, Oriol Vinyals, Jeff Dean. Distilling the Knowledge in a Neural Network.
        2015. https://arxiv.org/abs/1503.02531
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise ValueError(
                f"temperature must be a positive finite number, got {self.temperature}; "
                "pass normalizer=hard for the limit of temperature 0"
            )

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        return softmax(scores / self.temperature, where)
