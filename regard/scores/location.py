"""Luong's *location* score: the query alone says where to look."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_at_most, require_width, width


class Location(nn.Module):
    """Scores from the query alone, `score_j = w_j · q`, one row per key position.

    The content of the keys is ignored; only their number matters. Inputs shorter than `num_keys`
    use the first rows.

    Args:
        query_dim: width of the query.
        num_keys: the largest number of keys.

    Raises:
        ValueError: the width does not fit, or there are more keys than rows.

    Example:
        >>> import torch
        >>> Location(4, num_keys=10)(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
    """

    def __init__(self, query_dim: Count, num_keys: Count):
        super().__init__()
        self.query_dim = width("Location", "query_dim", query_dim)
        self.num_keys = width("Location", "num_keys", num_keys)
        self.weight = nn.Parameter(torch.empty(self.num_keys, self.query_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return query @ self.rows(key.shape[-2], query.dtype).mT

    def rows(self, k_len: int, dtype: torch.dtype) -> Float[Tensor, "k_len query_dim"]:
        """The rows used in place of the keys."""
        return self.weight[:k_len].to(dtype)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("Location", "query", query, self.query_dim)
        require_at_most("Location", key, self.num_keys)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, num_keys={self.num_keys}"
