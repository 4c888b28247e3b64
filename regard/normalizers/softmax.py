"""Softmax, the standard normalizer."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Number, Valued
from regard.normalizers._closed import at_least_float32, close, in_dtype_of, without_garbage


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
    return in_dtype_of(scores, torch.softmax(filled, dim=-1).masked_fill(closed, 0.0))


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Valued):
    """Softmax of scores divided by a temperature.

        weights = softmax(scores / temperature)

    A temperature below 1 sharpens toward the arg max, above 1 flattens toward the mean. It may be
    a learned scalar, an `nn.Parameter` with one element; its value is not checked, so keep it
    positive. Raises ValueError when `temperature` is not positive and finite, TypeError when it is
    not a number.

    Example:
        >>> import math
        >>> Softmax(temperature=0.5)(torch.tensor([[0.0, 0.5 * math.log(3.0)]]))
        tensor([[0.2500, 0.7500]])

    References:
        Geoffrey Hinton, Oriol Vinyals, Jeff Dean. Distilling the Knowledge in a Neural Network.
        2015. https://arxiv.org/abs/1503.02531
    """

    temperature: Number = 1.0

    def __post_init__(self) -> None:
        hint = "pass normalizer=hard for the limit of temperature 0"
        warmth = number("Softmax", "temperature", self.temperature, above=0.0, hint=hint)
        object.__setattr__(self, "temperature", warmth)

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        warm = at_least_float32(scores)
        if isinstance(self.temperature, Tensor):
            warm, where = without_garbage(warm, where)
        return in_dtype_of(scores, softmax(warm / scalar(self.temperature, warm), where))
