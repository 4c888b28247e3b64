"""Hard attention: all weight on the best key."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.normalizers._closed import close, in_dtype_of, without_keys
from regard.normalizers.softmax import softmax


def hard(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """One on the permitted key of the highest score, zero elsewhere.

        weights_j = 1 if j = argmax_i scores_i else 0

    Among equal scores the first key wins. The weights are constant almost everywhere, so no
    gradient flows to the scores; `Hard(straight_through=True)` borrows softmax's, and `Sample`
    learns by REINFORCE.

    Example:
        >>> hard(torch.tensor([[0.0, 2.0, 2.0]]))
        tensor([[0., 1., 0.]])

    References:
        Kelvin Xu, Jimmy Ba, Ryan Kiros, et al. Show, Attend and Tell: Neural Image Caption
        Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
    """
    filled, closed = close(scores.detach(), where)
    weights = torch.zeros_like(filled)
    if not without_keys(scores):
        weights = weights.scatter(-1, filled.argmax(dim=-1, keepdim=True), 1.0)
    return in_dtype_of(scores, weights.masked_fill(closed, 0.0))


@dataclass(frozen=True)
class Hard:
    """`hard`, optionally with the gradient of softmax.

        weights = hard(scores)      d weights / d scores = d softmax(scores) / d scores

    The straight-through gradient is biased but lets the scores learn; the forward value stays
    exactly one-hot. Without it this is `hard`.

    Example:
        >>> scores = torch.tensor([[0.0, 1.0]], requires_grad=True)
        >>> weights = Hard(straight_through=True)(scores)
        >>> weights[0, 1].backward()
        >>> weights.tolist(), scores.grad
        ([[0.0, 1.0]], tensor([[-0.1966,  0.1966]]))

    References:
        Yoshua Bengio, Nicholas Léonard, Aaron Courville. Estimating or Propagating Gradients
        Through Stochastic Neurons for Conditional Computation. 2013.
        https://arxiv.org/abs/1308.3432
    """

    straight_through: bool = False

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """One-hot weights of these scores over the permitted keys."""
        weights = hard(scores, where)
        if not self.straight_through:
            return weights
        soft = softmax(scores, where)
        # In this order the difference is exactly 0, and the forward value exactly one-hot.
        return weights + (soft - soft.detach())
