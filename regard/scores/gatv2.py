"""The score of GATv2: every query ranks the keys in its own way."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._numbers import number
from regard._pairwise import Count
from regard.scores._sum_of_projections import SumOfProjections


class GATv2(SumOfProjections):
    """A perceptron with a leaky rectifier, `score = vᵀ LeakyReLU(W_q q + W_k k)`.

        LeakyReLU(x) = x    where x > 0
                       negative_slope x    elsewhere

    The first graph attention network rectified `vᵀ (W_q q + W_k k)`, which ranks the keys the same
    for every query; here the rectifier is inside the sum. Every weight is optional as in
    `Additive`: without `query_dim` there is no `W_q`, without `key_dim` no `W_k`, and without
    `hidden_dim` no `v`, so that the hidden units are summed. Edges of a graph are a mask.

    Args:
        query_dim: width of the query, or None if it is already projected.
        key_dim: width of the key, or None if it is already projected.
        hidden_dim: width of the hidden layer, the length of `v`.
        negative_slope: slope of the rectifier below zero, 0 (ReLU) to 1; the paper's is 0.2.

    Raises:
        ValueError: a projection is requested without `hidden_dim`, the slope is not from 0 to 1,
            or the widths do not fit.
        TypeError: the slope is not a number.

    Example:
        >>> import torch
        >>> score = GATv2(query_dim=4, key_dim=6, hidden_dim=8)
        >>> score(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Brody, Alon & Yahav. How Attentive are Graph Attention Networks? 2022.
        https://arxiv.org/abs/2105.14491
    """

    def __init__(
        self,
        query_dim: Count | None = None,
        key_dim: Count | None = None,
        hidden_dim: Count | None = None,
        negative_slope: float = 0.2,
    ):
        super().__init__(query_dim, key_dim, hidden_dim)
        self.negative_slope = _slope(negative_slope)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return leaky_sum(*self.project(query, key), self.v, self.negative_slope)

    def extra_repr(self) -> str:
        widths, slope = super().extra_repr(), f"negative_slope={self.negative_slope:g}"
        return f"{widths}, {slope}" if widths else slope


def _slope(value: float) -> float:
    """The slope as a float; it raises for anything but a number from 0 to 1."""
    hint = "0 is ReLU, the paper has 0.2"
    if isinstance(value, Tensor):
        raise TypeError(f"GATv2 needs negative_slope to be a number, got Tensor; {hint}.")
    slope = float(number("GATv2", "negative_slope", value, float("-inf"), hint))
    if not 0 <= slope <= 1:
        raise ValueError(f"GATv2 needs negative_slope from 0 to 1, got {slope:g}; {hint}.")
    return slope


def leaky_sum(
    query: Float[Tensor, "batch heads q_len hidden_dim"],
    key: Float[Tensor, "batch heads k_len hidden_dim"],
    v: Float[Tensor, " hidden_dim"] | None,
    negative_slope: float,
) -> Float[Tensor, "batch heads q_len k_len"]:
    """`Σ_d v_d LeakyReLU(q_d + k_d)` of every pair, written out; None stands for a `v` of ones."""
    queries = rearrange(query, "batch heads q_len width -> batch heads q_len 1 width")
    keys = rearrange(key, "batch heads k_len width -> batch heads 1 k_len width")
    hidden = nn.functional.leaky_relu(queries + keys, negative_slope)
    return hidden.sum(-1) if v is None else hidden @ v.to(hidden.dtype)
