"""From tokens to the queries, keys and values of each head.

A projection defines how; the `nn.Linear`s that it calls belong to the layer, so that anything that
wraps or replaces one (an adapter, a quantizer, a hook) finds it and is called.
"""

from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers.through import through

_FUSED = 0.5**0.5
"""Gain of the three input projections: torch and fairseq initialize them as one stacked matrix."""

CutHeads = tuple[Tensor, Tensor, Tensor | None]
"""Queries, keys and values, split into heads."""


@dataclass(frozen=True)
class Fused:
    """Queries, keys and values from tokens of one width, by a single layer.

    Where query, key and value are the same tensor it is one product instead of three. Where they
    are not, the layer is called for each and its output is sliced: slicing its weight instead
    would bypass anything that wraps the layer.
    """

    embed_dim: int
    heads: int
    kv_heads: int
    head_dim: int

    @property
    def widths(self) -> list[int]:
        """The layer's output: widths of the concatenated queries, keys and values."""
        width = self.kv_heads * self.head_dim
        return [self.heads * self.head_dim, width, width]

    def layers(self, bias: bool) -> nn.Linear:
        """The layer, initialized."""
        # On meta first, so that no random numbers are drawn for weights that are drawn again.
        layer = nn.Linear(self.embed_dim, sum(self.widths), bias, device="meta")
        layer.weight = nn.Parameter(torch.empty(layer.weight.shape))
        if bias:
            layer.bias = nn.Parameter(torch.empty(layer.bias.shape))
        _start(layer, self.widths)
        return layer

    def __call__(self, inputs: Any, query: Tensor, key: Tensor, value: Tensor | None) -> CutHeads:
        if query is key and (value is key or value is None):
            q, k, v = through(inputs, query).split(self.widths, dim=-1)
            k, v = split_heads(k, self.kv_heads), split_heads(v, self.kv_heads)
            return split_heads(q, self.heads), k, v
        return self.query(inputs, query), *self.key_value(inputs, key, value)

    def query(self, inputs: Any, query: Tensor) -> Tensor:
        """The queries alone."""
        q, _, _ = through(inputs, query).split(self.widths, dim=-1)
        return split_heads(q, self.heads)

    def key_value(self, inputs: Any, key: Tensor, value: Tensor | None) -> tuple[Tensor, Tensor]:
        """The keys and values alone."""
        _, k, v = through(inputs, key).split(self.widths, dim=-1)
        if value is not None and value is not key:
            _, _, v = through(inputs, value).split(self.widths, dim=-1)
        return split_heads(k, self.kv_heads), split_heads(v, self.kv_heads)


@dataclass(frozen=True)
class Separate:
    """Queries from one input, keys and values from another (two products, not three)."""

    embed_dim: int
    kv_dim: int
    heads: int
    kv_heads: int
    head_dim: int

    def layers(self, bias: bool) -> nn.Module:
        """The two layers, initialized."""
        inputs, width = nn.Module(), self.kv_heads * self.head_dim
        inputs.query_input = nn.Linear(self.embed_dim, self.heads * self.head_dim, bias)
        inputs.key_value_input = nn.Linear(self.kv_dim, 2 * width, bias)
        _start(inputs.query_input, [self.heads * self.head_dim])
        _start(inputs.key_value_input, [width, width])
        return inputs

    def __call__(self, inputs: Any, query: Tensor, key: Tensor, value: Tensor | None) -> CutHeads:
        return self.query(inputs, query), *self.key_value(inputs, key, value)

    def query(self, inputs: Any, query: Tensor) -> Tensor:
        """The queries alone."""
        return split_heads(through(inputs.query_input, query), self.heads)

    def key_value(self, inputs: Any, key: Tensor, value: Tensor | None) -> tuple[Tensor, Tensor]:
        """The keys and values alone, by one product if they come from the same tensor."""
        k, v = through(inputs.key_value_input, key).chunk(2, dim=-1)
        if value is not None and value is not key:
            _, v = through(inputs.key_value_input, value).chunk(2, dim=-1)
        return split_heads(k, self.kv_heads), split_heads(v, self.kv_heads)


@dataclass(frozen=True)
class Apart:
    """Queries, keys and values from three inputs, each by a layer of its own."""

    embed_dim: int
    kv_dim: int
    value_dim: int
    heads: int
    kv_heads: int
    head_dim: int

    def layers(self, bias: bool) -> nn.Module:
        """The three layers, initialized."""
        inputs, width = nn.Module(), self.kv_heads * self.head_dim
        inputs.query_input = nn.Linear(self.embed_dim, self.heads * self.head_dim, bias)
        inputs.key_input = nn.Linear(self.kv_dim, width, bias)
        inputs.value_input = nn.Linear(self.value_dim, width, bias)
        _start(inputs.query_input, [self.heads * self.head_dim])
        _start(inputs.key_input, [width])
        _start(inputs.value_input, [width])
        return inputs

    def __call__(self, inputs: Any, query: Tensor, key: Tensor, value: Tensor | None) -> CutHeads:
        q, k = self.query(inputs, query), split_heads(inputs.key_input(key), self.kv_heads)
        return q, k, None if value is None else self._value(inputs, value)

    def query(self, inputs: Any, query: Tensor) -> Tensor:
        """The queries alone."""
        return split_heads(through(inputs.query_input, query), self.heads)

    def key_value(self, inputs: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values alone."""
        return split_heads(inputs.key_input(key), self.kv_heads), self._value(inputs, value)

    def _value(self, inputs: Any, value: Tensor) -> Tensor:
        return split_heads(inputs.value_input(value), self.kv_heads)


Projection = Fused | Separate | Apart
"""How tokens become heads; `inputs` is the result of its `layers`, or what has replaced it."""


def split_heads(
    x: Float[Tensor, "batch len joined_dim"], heads: int
) -> Float[Tensor, "batch heads len head_dim"]:
    """Split each vector into heads."""
    return rearrange(x, "batch len (heads width) -> batch heads len width", heads=heads)


def _start(layer: nn.Linear, outputs: list[int]) -> None:
    """Draw the first weights: each block of outputs as if it had a layer of its own."""
    for block in layer.weight.split(outputs):
        nn.init.xavier_uniform_(block, gain=_FUSED)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
