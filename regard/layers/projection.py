"""From tokens to the queries, keys and values of each head."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

_FUSED = 0.5**0.5
"""Gain of the three input projections: torch and fairseq start them as one matrix of three."""


class Fused(nn.Module):
    """Queries, keys and values from tokens of one width, by one matrix.

    Where query, key and value are the same tensor it is one product instead of three.
    """

    def __init__(self, embed_dim: int, heads: int, kv_heads: int, head_dim: int, bias: bool):
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        self.widths = [heads * head_dim, kv_heads * head_dim, kv_heads * head_dim]
        self.weight = nn.Parameter(torch.empty(sum(self.widths), embed_dim))
        self.bias = nn.Parameter(torch.zeros(sum(self.widths))) if bias else None
        for block in self.weight.split(self.widths):
            nn.init.xavier_uniform_(block, gain=_FUSED)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if query is key and key is value:
            q, k, v = F.linear(query, self.weight, self.bias).split(self.widths, dim=-1)
            k, v = split_heads(k, self.kv_heads), split_heads(v, self.kv_heads)
            return split_heads(q, self.heads), k, v
        return self.query(query), *self.key_value(key, value)

    def query(self, query: Tensor) -> Tensor:
        """The queries alone."""
        width = self.widths[0]
        bias = None if self.bias is None else self.bias[:width]
        return split_heads(F.linear(query, self.weight[:width], bias), self.heads)

    def key_value(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values alone."""
        width = self.widths[0]
        bias = None if self.bias is None else self.bias[width:]
        return _key_value(key, value, self.weight[width:], bias, self.kv_heads)


class Separate(nn.Module):
    """Queries from one kind of tokens, keys and values from another (two products, not three)."""

    def __init__(
        self, embed_dim: int, kv_dim: int, heads: int, kv_heads: int, head_dim: int, bias: bool
    ):
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        self.query_input = nn.Linear(embed_dim, heads * head_dim, bias)
        self.key_value_input = nn.Linear(kv_dim, 2 * kv_heads * head_dim, bias)
        for block in (self.query_input.weight, *self.key_value_input.weight.chunk(2)):
            nn.init.xavier_uniform_(block, gain=_FUSED)
        for layer in (self.query_input, self.key_value_input):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(query), *self.key_value(key, value)

    def query(self, query: Tensor) -> Tensor:
        """The queries alone."""
        return split_heads(self.query_input(query), self.heads)

    def key_value(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values alone."""
        layer = self.key_value_input
        return _key_value(key, value, layer.weight, layer.bias, self.kv_heads)


class Unprojected(nn.Module):
    """The tokens themselves, cut into heads: the naive case, without a weight."""

    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(query), *self.key_value(key, value)

    def query(self, query: Tensor) -> Tensor:
        """The queries alone."""
        return split_heads(query, self.heads)

    def key_value(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values alone."""
        return split_heads(key, self.heads), split_heads(value, self.heads)


def split_heads(
    x: Float[Tensor, "batch len joined_dim"], heads: int
) -> Float[Tensor, "batch heads len head_dim"]:
    """Cut each vector into heads."""
    return rearrange(x, "batch len (heads width) -> batch heads len width", heads=heads)


def _key_value(
    key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None, kv_heads: int
) -> tuple[Tensor, Tensor]:
    """Keys and values by one product where they come from one tensor, by two where not."""
    if key is value:
        k, v = F.linear(key, weight, bias).chunk(2, dim=-1)
        return split_heads(k, kv_heads), split_heads(v, kv_heads)
    biases = (None, None) if bias is None else bias.chunk(2)
    pairs = zip((key, value), weight.chunk(2), biases, strict=True)
    k, v = (split_heads(F.linear(x, w, b), kv_heads) for x, w, b in pairs)
    return k, v
