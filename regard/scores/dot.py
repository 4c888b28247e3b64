"""Dot-product scores: plain, and scaled by the square root of the width."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Number, Valued
from regard._torch_private import plain_length
from regard.scores._widths import require_equal_widths


@dataclass(frozen=True)
class Dot:
    """The plain dot product, `score = q · k`.

    Luong et al. call it *dot*. Nothing is scaled, so for unit-variance vectors the scores have
    variance `head_dim`.

    Raises:
        ValueError: query and key differ in width.

    Example:
        >>> import torch
        >>> Dot()(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 4, 3))[0, 0, 0].tolist()
        [3.0, 3.0, 3.0, 3.0]

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
    """

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return query @ key.mT

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("Dot", query, key)


@dataclass(frozen=True, eq=False, repr=False)
class ScaledDot(Valued):
    """The scaled dot product, `score = scale · (q · k)`, with `scale = 1 / sqrt(head_dim)`.

    Args:
        scale: the factor, any finite number or a one-element tensor, which may be learned; None
            is `head_dim ** -0.5`.

    Raises:
        ValueError: the scale is not finite or not one number, or query and key differ in width.
        TypeError: the scale is not a number.

    Example:
        >>> import torch
        >>> ScaledDot()(torch.ones(1, 1, 1, 4), torch.ones(1, 1, 2, 4)).tolist()
        [[[[2.0, 2.0]]]]

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    scale: Number | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            hint = "leave it out for 1 / sqrt(head_dim)"
            scale = number("ScaledDot", "scale", self.scale, -math.inf, hint)
            object.__setattr__(self, "scale", scale)

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        scores = query @ key.mT
        return scores * scalar(self.factor(query.shape[-1]), scores)

    def factor(self, head_dim: int) -> Number:
        """The scale for this width."""
        return max(plain_length(head_dim), 1) ** -0.5 if self.scale is None else self.scale

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("ScaledDot", query, key)
