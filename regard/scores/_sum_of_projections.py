"""What scores have in common that add a projected query to a projected key."""

import torch
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width


class SumOfProjections(nn.Module):
    """The weights `W`, `U` and `v` of `Σ_d v_d f(W q + U k)_d`, each of them optional."""

    def __init__(
        self,
        query_dim: Count | None = None,
        key_dim: Count | None = None,
        hidden_dim: Count | None = None,
    ):
        super().__init__()
        name = type(self).__name__
        if hidden_dim is None and (query_dim is not None or key_dim is not None):
            raise ValueError(
                f"{name}(query_dim={query_dim}, key_dim={key_dim}) projects to a hidden layer "
                "whose width is missing: give hidden_dim too, or neither projection."
            )
        self.query_dim = None if query_dim is None else width(name, "query_dim", query_dim)
        self.key_dim = None if key_dim is None else width(name, "key_dim", key_dim)
        self.hidden_dim = None if hidden_dim is None else width(name, "hidden_dim", hidden_dim)
        self.query_weight = _projection(self.hidden_dim, self.query_dim)
        self.key_weight = _projection(self.hidden_dim, self.key_dim)
        self.v = None if self.hidden_dim is None else nn.Parameter(torch.empty(self.hidden_dim))
        if self.v is not None:
            nn.init.uniform_(self.v, -(self.v.numel() ** -0.5), self.v.numel() ** -0.5)

    def project(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """`W q` and `U k`, the two summands."""
        if self.query_weight is not None:
            query = query @ self.query_weight.to(query.dtype).mT
        if self.key_weight is not None:
            key = key @ self.key_weight.to(key.dtype).mT
        return query, key

    def check(self, query: Tensor, key: Tensor) -> None:
        name = type(self).__name__
        if self.hidden_dim is None and query.shape[-1] != key.shape[-1]:
            raise ValueError(
                f"{name}() without weights adds query and key, but query has head_dim "
                f"{query.shape[-1]} and key has {key.shape[-1]}: give query_dim, key_dim and "
                "hidden_dim, or project them to one width."
            )
        if self.hidden_dim is not None:
            require_width(name, "query", query, self.query_dim or self.hidden_dim)
            require_width(name, "key", key, self.key_dim or self.hidden_dim)

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
