"""The sum of a tanh layer on the concatenation of query and key."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width
from regard.scores.additive import tanh_sum


class ConcatTanhSum(nn.Module):
    """A tanh layer on the concatenation, summed: `score = Σ tanh(W [q; k] + b)`.

    Bahdanau's score with a `v` of ones and a bias, as tutorials present it.

    Args:
        query_dim: width of the query.
        key_dim: width of the key.
        hidden_dim: width of the summed layer.

    Raises:
        ValueError: the width of query or key is not the one the weights were made for.

    Example:
        >>> import torch
        >>> ConcatTanhSum(4, 6, 8)(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
    """

    def __init__(self, query_dim: Count, key_dim: Count, hidden_dim: Count):
        super().__init__()
        self.query_dim = width("ConcatTanhSum", "query_dim", query_dim)
        self.key_dim = width("ConcatTanhSum", "key_dim", key_dim)
        self.hidden_dim = width("ConcatTanhSum", "hidden_dim", hidden_dim)
        self.weight = nn.Parameter(torch.empty(self.hidden_dim, self.query_dim + self.key_dim))
        self.bias = nn.Parameter(torch.zeros(self.hidden_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return tanh_sum(*self.project(query, key), None)

    def project(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """`W_q q + b` and `W_k k`, the two summands inside the tanh."""
        weight = self.weight.to(query.dtype)
        query = query @ weight[:, : self.query_dim].mT + self.bias.to(query.dtype)
        return query, key @ weight[:, self.query_dim :].mT

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("ConcatTanhSum", "query", query, self.query_dim)
        require_width("ConcatTanhSum", "key", key, self.key_dim)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return self.hidden_dim

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, {self.hidden_dim}"
