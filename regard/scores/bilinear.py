"""The bilinear score, which Luong et al. call *general*."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width


class Bilinear(nn.Module):
    """A learned bilinear form, `score = qᵀ W k`, with `W` of shape `[query_dim, key_dim]`.

    Query and key may differ in width. It is a dot product after projecting the query, and fused
    kernels serve it that way.

    Raises:
        ValueError: the width of query or key is not the one the weights were made for.

    Example:
        >>> import torch
        >>> score = Bilinear(2, 3)
        >>> score(torch.randn(1, 1, 4, 2), torch.randn(1, 1, 5, 3)).shape
        torch.Size([1, 1, 4, 5])

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
    """

    def __init__(self, query_dim: Count, key_dim: Count):
        super().__init__()
        self.query_dim = width("Bilinear", "query_dim", query_dim)
        self.key_dim = width("Bilinear", "key_dim", key_dim)
        self.weight = nn.Parameter(torch.empty(self.query_dim, self.key_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return self.project(query) @ key.mT

    def project(
        self, query: Float[Tensor, "batch heads q_len query_dim"]
    ) -> Float[Tensor, "batch heads q_len key_dim"]:
        """The query projected into the key's space, `Wᵀ q`."""
        return query @ self.weight.to(query.dtype)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("Bilinear", "query", query, self.query_dim)
        require_width("Bilinear", "key", key, self.key_dim)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}"
