"""A perceptron on query, key and their interaction: the activation unit of DIN."""

from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_width, width


class MLP(nn.Module):
    """A perceptron of any depth on a pair, `score = wᵀ f(W_n … f(W_1 features(q, k)))`.

        features = [q ; k ; q ⊗ k]            f = PReLU      variant="paper"
        features = [q ; k ; q - k ; q · k]    f = sigmoid    variant="official"

    The features are never built: the first layer is linear, so the contributions of query and key
    alone are computed once for each of them, and only the product's contribution (elementwise
    `q · k`, or all pairs of elements `q ⊗ k`) is computed per pair. The paper also allows Dice in
    the hidden layer, whose statistics would make the score of one pair depend on the others; here
    it is PReLU, with a slope for each unit.

    Args:
        query_dim: width of the query.
        key_dim: width of the key; `variant="official"` needs it equal.
        hidden_dims: widths of the hidden layers, the paper's 36, the authors' code 80 and 40.
        variant: "paper" or "official".

    Raises:
        ValueError: an unknown variant, no hidden layer, or widths that do not fit.

    Example:
        >>> import torch
        >>> score = MLP(6, 6, hidden_dims=(8, 4))
        >>> score(torch.randn(1, 1, 2, 6), torch.randn(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """

    def __init__(
        self,
        query_dim: Count,
        key_dim: Count,
        hidden_dims: Sequence[Count] = (80, 40),
        variant: Literal["paper", "official"] = "official",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ValueError(f'MLP knows variant="paper" and "official", got {variant!r}.')
        query_dim, key_dim = width("MLP", "query_dim", query_dim), width("MLP", "key_dim", key_dim)
        hidden_dims = [width("MLP", f"hidden_dims[{n}]", x) for n, x in enumerate(hidden_dims)]
        if not hidden_dims:
            raise ValueError("MLP needs hidden_dims of length >= 1, got 0; give a layer's width.")
        if variant == "official" and query_dim != key_dim:
            raise ValueError(
                f'MLP(variant="official") subtracts the key from the query, but query_dim is '
                f'{query_dim} and key_dim {key_dim}: make them equal, or use variant="paper".'
            )
        self.query_dim, self.key_dim, self.variant = query_dim, key_dim, variant
        self.hidden_dims = tuple(hidden_dims)
        first, *others = self.hidden_dims
        joint = query_dim * key_dim if variant == "paper" else 2 * query_dim
        self.weight = _weight(first, query_dim + key_dim + joint)
        self.bias = nn.Parameter(torch.zeros(first))
        self.deeper = nn.ParameterList(
            _weight(units, before) for before, units in zip(hidden_dims, others, strict=False)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(units)) for units in others)
        slopes = self.hidden_dims if variant == "paper" else ()
        self.slopes = nn.ParameterList(nn.Parameter(torch.full((n,), 0.25)) for n in slopes)
        self.v = nn.Parameter(torch.empty(self.hidden_dims[-1]))
        nn.init.uniform_(self.v, -(self.v.numel() ** -0.5), self.v.numel() ** -0.5)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        hidden = self._activated(self.first_layer(query, key), 0)
        for depth, (weight, bias) in enumerate(zip(self.deeper, self.biases, strict=True), 1):
            hidden = hidden @ weight.to(hidden.dtype).mT + bias.to(hidden.dtype)
            hidden = self._activated(hidden, depth)
        score = hidden @ self.v.to(hidden.dtype)
        return score * self.key_dim**-0.5 if self.variant == "official" else score

    def first_layer(self, query: Tensor, key: Tensor) -> Tensor:
        """`W_1 features(q, k) + b_1` for every pair, `[batch heads q_len k_len width]`."""
        weight = self.weight.to(query.dtype)
        widths = [self.query_dim, self.key_dim, weight.shape[1] - self.query_dim - self.key_dim]
        of_query, of_key, joint = weight.split(widths, dim=1)
        if self.variant == "official":
            of_difference, of_product = joint.chunk(2, dim=1)
            of_query, of_key = of_query + of_difference, of_key - of_difference
            # A query's own weights of the key, which saves an array of all pairs and elements.
            own = torch.einsum("bhqd,wd->bhqwd", query, of_product)
        else:
            outer = rearrange(joint, "width (query key) -> width query key", key=self.key_dim)
            own = torch.einsum("bhqd,wdk->bhqwk", query, outer)
        queries = query @ of_query.mT + self.bias.to(query.dtype)
        own = own + of_key
        pairs = torch.einsum("bhqwd,bhkd->bhqkw", own, key)
        return pairs + rearrange(queries, "batch heads q_len width -> batch heads q_len 1 width")

    def _activated(self, hidden: Tensor, depth: int) -> Tensor:
        if self.variant == "official":
            return torch.sigmoid(hidden)
        return torch.where(hidden > 0, hidden, self.slopes[depth].to(hidden.dtype) * hidden)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("MLP", "query", query, self.query_dim)
        require_width("MLP", "key", key, self.key_dim)

    def pair_width(self, query_dim: int, key_dim: int) -> int:
        return max(self.hidden_dims)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, {self.hidden_dims}, variant={self.variant!r}"


def _weight(outputs: int, inputs: int) -> nn.Parameter:
    weight = nn.Parameter(torch.empty(outputs, inputs))
    nn.init.xavier_uniform_(weight)
    return weight
