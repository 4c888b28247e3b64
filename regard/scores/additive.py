"""The additive score of Bahdanau, Cho and Bengio, the first attention score."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from regard.scores._sum_of_projections import SumOfProjections


class Additive(SumOfProjections):
    """A one-layer perceptron on query and key, `score = vᵀ tanh(W q + U k)`.

    Every weight is optional: without `query_dim` there is no `W` and the query enters as it is,
    without `key_dim` there is no `U`, without `hidden_dim` there is no `v` and the hidden units are
    summed. So `Additive(512, 512, 256)` is the published score, `Additive(512, hidden_dim=256)`
    takes keys that were projected once for many queries, and `Additive()` is the bare form.

    Args:
        query_dim: width of the query, or None if it is already projected.
        key_dim: width of the key, or None if it is already projected.
        hidden_dim: width of the hidden layer, the length of `v`.

    Raises:
        ValueError: a projection is requested without `hidden_dim`, or the widths do not fit.

    Example:
        >>> import torch
        >>> score = Additive(query_dim=4, key_dim=6, hidden_dim=8)
        >>> score(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
    """

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return tanh_sum(*self.project(query, key), self.v)


def tanh_sum(
    query: Float[Tensor, "batch heads q_len hidden_dim"],
    key: Float[Tensor, "batch heads k_len hidden_dim"],
    v: Float[Tensor, " hidden_dim"] | None,
) -> Float[Tensor, "batch heads q_len k_len"]:
    """`Σ_d v_d tanh(q_d + k_d)` for every pair, written out; None stands for a `v` of ones."""
    queries = rearrange(query, "batch heads q_len width -> batch heads q_len 1 width")
    keys = rearrange(key, "batch heads k_len width -> batch heads 1 k_len width")
    hidden = torch.tanh(queries + keys)
    return hidden.sum(-1) if v is None else hidden @ v.to(hidden.dtype)
