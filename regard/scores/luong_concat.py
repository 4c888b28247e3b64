"""Luong's *concat* score: a perceptron on the concatenation of query and key."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width
from regard.scores.additive import tanh_sum


class LuongConcat(nn.Module):
    """A perceptron on the concatenation, `score = vᵀ tanh(W [q; k])`.

    `W [q; k]` is `W_q q + W_k k`, so the concatenation is never built. The authors' code
    (`variant="official"`) leaves the key as it is, `vᵀ tanh(W_q q + k)`.

    Args:
        query_dim: width of the query.
        key_dim: width of the key.
        hidden_dim: width of the hidden layer; `variant="official"` needs it equal to `key_dim`.
        variant: "paper" or "official".

    Raises:
        ValueError: an unknown variant, or widths that do not fit.

    Example:
        >>> import torch
        >>> LuongConcat(4, 6, 8)(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
    """

    def __init__(
        self,
        query_dim: Count,
        key_dim: Count,
        hidden_dim: Count,
        variant: Literal["paper", "official"] = "paper",
    ):
        super().__init__()
        if variant not in ("paper", "official"):
            raise ValueError(f'LuongConcat knows variant="paper" and "official", got {variant!r}.')
        query_dim = width("LuongConcat", "query_dim", query_dim)
        key_dim = width("LuongConcat", "key_dim", key_dim)
        hidden_dim = width("LuongConcat", "hidden_dim", hidden_dim)
        if variant == "official" and hidden_dim != key_dim:
            raise ValueError(
                f'LuongConcat(variant="official") adds the key to the hidden layer, but key_dim is '
                f"{key_dim} and hidden_dim {hidden_dim}: make them equal."
            )
        self.query_dim, self.key_dim, self.hidden_dim = query_dim, key_dim, hidden_dim
        self.variant = variant
        inputs = query_dim + (key_dim if variant == "paper" else 0)
        self.weight = nn.Parameter(torch.empty(hidden_dim, inputs))
        self.v = nn.Parameter(torch.empty(hidden_dim))
        nn.init.xavier_uniform_(self.weight)
        nn.init.uniform_(self.v, -(hidden_dim**-0.5), hidden_dim**-0.5)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return tanh_sum(*self.project(query, key), self.v)

    def project(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """`W_q q` and `W_k k`, the two summands inside the tanh."""
        weight = self.weight.to(query.dtype)
        query = query @ weight[:, : self.query_dim].mT
        return query, (key @ weight[:, self.query_dim :].mT if self.variant == "paper" else key)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("LuongConcat", "query", query, self.query_dim)
        require_width("LuongConcat", "key", key, self.key_dim)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return self.hidden_dim

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, {self.hidden_dim}, variant={self.variant!r}"
