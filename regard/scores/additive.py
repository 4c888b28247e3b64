"""The additive score of Bahdanau, Cho and Bengio, which started it all."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width


class Additive(nn.Module):
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
        ValueError: a projection is asked for without `hidden_dim`, or the widths do not fit.

    Example:
        >>> import torch
        >>> score = Additive(query_dim=4, key_dim=6, hidden_dim=8)
        >>> score(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
    """

    def __init__(
        self,
        query_dim: Count | None = None,
        key_dim: Count | None = None,
        hidden_dim: Count | None = None,
    ):
        super().__init__()
        if hidden_dim is None and (query_dim is not None or key_dim is not None):
            raise ValueError(
                f"Additive(query_dim={query_dim}, key_dim={key_dim}) projects to a hidden layer "
                "whose width is missing: give hidden_dim too, or neither projection."
            )
        self.query_dim = None if query_dim is None else width("Additive", "query_dim", query_dim)
        self.key_dim = None if key_dim is None else width("Additive", "key_dim", key_dim)
        self.hidden_dim = (
            None if hidden_dim is None else width("Additive", "hidden_dim", hidden_dim)
        )
        self.query_weight = _projection(self.hidden_dim, self.query_dim)
        self.key_weight = _projection(self.hidden_dim, self.key_dim)
        self.v = None if self.hidden_dim is None else nn.Parameter(torch.empty(self.hidden_dim))
        if self.v is not None:
            nn.init.uniform_(self.v, -(self.v.numel() ** -0.5), self.v.numel() ** -0.5)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return tanh_sum(*self.project(query, key), self.v)

    def project(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """`W q` and `U k`, the two summands inside the tanh."""
        if self.query_weight is not None:
            query = query @ self.query_weight.to(query.dtype).mT
        if self.key_weight is not None:
            key = key @ self.key_weight.to(key.dtype).mT
        return query, key

    def check(self, query: Tensor, key: Tensor) -> None:
        if self.hidden_dim is None and query.shape[-1] != key.shape[-1]:
            raise ValueError(
                f"Additive() without weights adds query and key, but query has head_dim "
                f"{query.shape[-1]} and key has {key.shape[-1]}: give query_dim, key_dim and "
                "hidden_dim, or project them to one width."
            )
        if self.hidden_dim is not None:
            require_width("Additive", "query", query, self.query_dim or self.hidden_dim)
            require_width("Additive", "key", key, self.key_dim or self.hidden_dim)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return self.hidden_dim or query_dim

    def extra_repr(self) -> str:
        named = {
            "query_dim": self.query_dim,
            "key_dim": self.key_dim,
            "hidden_dim": self.hidden_dim,
        }
        return ", ".join(f"{name}={width}" for name, width in named.items() if width is not None)


def _projection(hidden_dim: int | None, inputs: int | None) -> nn.Parameter | None:
    if hidden_dim is None or inputs is None:
        return None
    weight = nn.Parameter(torch.empty(hidden_dim, inputs))
    nn.init.xavier_uniform_(weight)
    return weight


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
