"""Softmax over the k best keys."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._numbers import count
from regard._pairwise import Count
from regard._torch_private import surely
from regard.normalizers._closed import close
from regard.normalizers.softmax import softmax


@dataclass(frozen=True)
class TopK:
    """Softmax over the `k` permitted keys of highest score; every other key has weight 0.

        weights = softmax(scores over the k largest)

    Exactly `k` keys are kept, or all permitted ones where there are fewer; which of several equal
    scores is kept at the boundary is not specified. The selection itself has no gradient.
    Raises ValueError when `k` is less than 1, TypeError when it is not an integer.

    Example:
        >>> TopK(2)(torch.tensor([[1.0, 3.0, 3.0, 2.0]]))
        tensor([[0.0000, 0.5000, 0.5000, 0.0000]])

    References:
        Ankit Gupta, Guy Dar, Shaya Goodman, David Ciprut, Jonathan Berant. Memory-efficient
        Transformers via Top-k Attention. 2021. https://arxiv.org/abs/2106.06899
    """

    k: Count

    def __post_init__(self) -> None:
        k = count("TopK", "k", self.k, least=1, hint="every query needs a key to keep")
        object.__setattr__(self, "k", k)

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the best k of the permitted keys."""
        k_len = scores.shape[-1]
        known = not isinstance(k_len, Tensor)  # it is a tensor under `torch.jit.trace`
        if known and surely(k_len <= self.k):
            return softmax(scores, where)
        filled, closed = close(scores.detach(), where)
        if known and surely(k_len > self.k):
            best = filled.topk(self.k, dim=-1).indices
            kept = torch.zeros_like(closed).scatter(-1, best, True)
        else:
            ranks = filled.argsort(dim=-1, descending=True).argsort(dim=-1)
            kept = ranks < self.k
        return softmax(scores, kept & ~closed)
