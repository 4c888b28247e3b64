"""Entmax with a learned alpha, shared or per head."""

import math
from functools import partial
from typing import Any, ClassVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._numbers import count, number
from regard._pairwise import Count, Number
from regard.normalizers._closed import at_least_float32
from regard.normalizers._support import sparse_weights
from regard.normalizers._terms import largest, weigh_terms


class LearnedEntmax(nn.Module):
    """Entmax with a learned alpha between 1 (softmax) and 2 (sparsemax).

        weights = entmax(scores, alpha)      alpha = 1 + sigmoid(a)

    `num_heads=None` shares one `a` among all heads; otherwise each head has its own. `alpha` is
    the initial value.
    Raises ValueError when `alpha` is not between 1 and 2, `num_heads` is negative, or the scores
    have a different number of heads; TypeError when either is not a number.

    Example:
        >>> normalizer = LearnedEntmax(num_heads=2, alpha=1.5)
        >>> normalizer(torch.tensor([2.0, 2.0, -1.0]).expand(1, 2, 1, 3))[0, :, 0]
        tensor([[0.5000, 0.5000, 0.0000],
                [0.5000, 0.5000, 0.0000]], grad_fn=<SelectBackward0>)

    References:
        Gonçalo Correia, Vlad Niculae, André Martins. Adaptively Sparse Transformers. 2019.
        https://arxiv.org/abs/1909.00015
    """

    starts_at: ClassVar[tuple[str, ...]] = ("alpha",)
    """The arguments that say where learning starts, and not what the part is."""

    def __init__(self, num_heads: Count | None = None, alpha: Number = 1.5) -> None:
        super().__init__()
        hint = "pass normalizer=Entmax(alpha) for a fixed value"
        alpha = float(number("LearnedEntmax", "alpha", alpha, above=1.0, hint=hint))
        if not 1.0 < alpha < 2.0:
            raise ValueError(
                f"LearnedEntmax needs alpha to start between 1 and 2, got {alpha}; {hint}."
            )
        if num_heads is not None:
            hint = "pass num_heads=None to share one alpha among all heads"
            num_heads = count("LearnedEntmax", "num_heads", num_heads, least=0, hint=hint)
        self.num_heads = num_heads
        start = math.log(alpha - 1.0) - math.log(2.0 - alpha)
        self.a = nn.Parameter(torch.full(() if num_heads is None else (num_heads,), start))

    @property
    def alpha(self) -> Float[Tensor, ""] | Float[Tensor, " num_heads"]:
        """The current value, shared or per head."""
        return 1.0 + self.a.sigmoid()

    def check(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
    ) -> None:
        """Raise ValueError when the query has a different number of heads."""
        if self.a.ndim and len(self.a) != query.shape[1]:
            raise ValueError(
                f"LearnedEntmax has num_heads={len(self.a)}, but query has {query.shape[1]} heads; "
                "build it for as many, or with num_heads=None to share one alpha"
            )

    def at(self, heads: Any, rows: Any) -> "LearnedEntmax | partial[Tensor]":
        """The same normalizer for some heads and query rows."""
        return partial(self._weigh, self.a[heads]) if self.a.ndim else self

    def forward(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        return self._weigh(self.a, scores, where)

    @staticmethod
    def _weigh(a: Tensor, scores: Tensor, where: Tensor | None = None) -> Tensor:
        s = a.to(at_least_float32(scores).dtype).sigmoid()
        if s.ndim:
            s = rearrange(s, "heads -> heads 1 1")
        return sparse_weights(scores, where, s, largest, weigh_terms)
