"""A rectified linear unit on the concatenation of query and key."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width


class ConcatReLU(nn.Module):
    """A rectified unit on the concatenation, `score = relu(w · [q; k])`.

    The unit is linear before it is rectified, so query and key are each projected once, and a pair
    costs one addition.

    Args:
        query_dim: width of the query.
        key_dim: width of the key.

    Raises:
        ValueError: the width of query or key is not the one the weights were made for.

    Example:
        >>> import torch
        >>> ConcatReLU(4, 6)(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Wang, Girshick, Gupta & He. Non-local Neural Networks. 2018.
        https://arxiv.org/abs/1711.07971
        Santoro et al. A simple neural network module for relational reasoning. 2017.
        https://arxiv.org/abs/1706.01427
    """

    def __init__(self, query_dim: Count, key_dim: Count):
        super().__init__()
        self.query_dim = width("ConcatReLU", "query_dim", query_dim)
        self.key_dim = width("ConcatReLU", "key_dim", key_dim)
        self.weight = nn.Parameter(torch.empty(1, self.query_dim + self.key_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        weight = self.weight.to(query.dtype)
        of_query = query @ weight[:, : self.query_dim].mT
        of_key = key @ weight[:, self.query_dim :].mT
        return torch.relu(of_query + of_key.mT)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("ConcatReLU", "query", query, self.query_dim)
        require_width("ConcatReLU", "key", key, self.key_dim)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}"
