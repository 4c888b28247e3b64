"""Scores from the Euclidean distance between query and key."""

import math
from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Number, Valued
from regard.scores._widths import require_equal_widths


@dataclass(frozen=True)
class NegativeSquaredDistance:
    """The negative squared distance, `score = -‖q - k‖²`: under softmax, a Gaussian kernel.

    Expanded, it is a dot product with one more column, and fused kernels serve it that way.
    `Softmax(temperature=2 σ²)` sets the width of the kernel.

    Raises:
        ValueError: query and key differ in width.

    Example:
        >>> import torch
        >>> NegativeSquaredDistance()(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2)).item()
        -2.0

    References:
        Nadaraya. On Estimating Regression. 1964. https://doi.org/10.1137/1109020
    """

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return -squared_distance(query, key)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("NegativeSquaredDistance", query, key)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return query_dim


@dataclass(frozen=True, eq=False, repr=False)
class InverseDistance(Valued):
    """ABCNN's match score, `score = 1 / (1 + sqrt(‖q - k‖² + eps))`.

    Where query and key are equal and eps is 0, the score is exactly 1 and its gradient is 0,
    because the distance has no gradient there.

    Args:
        eps: what the authors' code adds under the root, 1e-10 between words; the paper has none.
            A number or a one-element tensor, which may be learned.

    Raises:
        ValueError: eps is negative, not finite or not one number, or query and key differ in width.
        TypeError: eps is not a number.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[[0.0, 0.0], [3.0, 4.0]]]])
        >>> torch.allclose(InverseDistance()(x[:, :, :1], x), torch.tensor([1.0, 1 / 6]))
        True

    References:
        Yin, Schütze, Xiang & Zhou. ABCNN: Attention-Based Convolutional Neural Network for
        Modeling Sentence Pairs. 2016. https://arxiv.org/abs/1512.05193
    """

    eps: Number = 0.0

    def __post_init__(self) -> None:
        hint = "the authors' code has 1e-10"
        eps = number("InverseDistance", "eps", self.eps, -math.inf, hint)
        if not isinstance(eps, Tensor) and eps < 0:
            raise ValueError(f"InverseDistance needs eps >= 0, got {eps:g}; {hint}.")
        object.__setattr__(self, "eps", eps)

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        squared = squared_distance(query, key)
        squared = squared + scalar(self.eps, squared)
        together = ~(squared > 0)
        distance = squared.masked_fill(together, 1).sqrt().masked_fill(together, 0)
        return 1 / (1 + distance)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("InverseDistance", query, key)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return query_dim


def squared_distance(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch heads k_len head_dim"],
) -> Float[Tensor, "batch heads q_len k_len"]:
    """`‖q - k‖²` from the differences themselves: no cancellation between near vectors."""
    queries = rearrange(query, "batch heads q_len width -> batch heads q_len 1 width")
    keys = rearrange(key, "batch heads k_len width -> batch heads 1 k_len width")
    return (queries - keys).square().sum(-1)
