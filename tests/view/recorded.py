"""Attention that was written down: queries, keys and parts, with the attributes of captured maps.

The heads do what heads of trained networks do: look at the previous token, at themselves, at the
first token, at tokens that are the same, at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

import regard
from regard.masks import Causal
from regard.normalizers import softmax
from regard.scores import ScaledDot


@dataclass(frozen=True, eq=False)
class RecordedParts:
    query: Tensor
    key: Tensor
    value: Tensor | None
    scale: float
    bias: Tensor | None
    allowed: Tensor | None
    score: str
    parameters: Mapping[str, Tensor]
    normalizer: str
    numbers: Mapping[str, float]
    spans: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Recorded:
    """One call of attention, `[batch, heads, length, head_dim]`, and the parts it was made with."""

    query: Tensor
    key: Tensor
    value: Tensor | None = None
    name: str = "layers.0.attention"
    call: int = 0
    kind: str = "self"
    score: Any = ScaledDot()
    mask: Any = None
    score_mod: Any = None
    normalizer: Any = softmax
    names: tuple[str, str] = ("scaled_dot", "softmax")
    numbers: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    bias: Tensor | None = None
    allowed: Tensor | None = None
    projected: tuple[Tensor, Tensor] | None = None
    has_parts: bool = True
    provenance: str = "recomputed from query and key"
    scale: float | None = None

    def called(self, name: str) -> "Recorded":
        """The same, by another module."""
        return replace(self, name=name)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, heads, rows, _ = self.query.shape
        return batch, heads, rows, self.key.shape[2]

    @property
    def mechanism(self) -> dict[str, str]:
        found = {"score": self.names[0], "normalizer": self.names[1], "dtype": "float32"}
        if self.mask is not None:
            found["mask"] = str(self.mask)
        return found

    def weights(self, heads: Any = None, rows: Any = None, item: int | None = None) -> Tensor:
        chosen = slice(None) if item is None else slice(item, item + 1)
        return regard.attention_weights(
            self.query[chosen],
            self.key[chosen],
            score=self.score,
            score_mod=self.score_mod,
            mask=self.mask,
            normalizer=self.normalizer,
            heads=heads,
            rows=rows,
        ).float()

    def parts(self, item: int = 0) -> RecordedParts | None:
        if not self.has_parts:
            return None
        query, key = self.projected or (self.query, self.key)
        allowed, spans = self.allowed, None
        if allowed is None and isinstance(self.mask, Causal):
            rows, keys = self.shape[2:]
            if rows <= 1024:
                allowed = torch.ones(rows, keys, dtype=torch.bool).tril(keys - rows)[None]
            else:
                ends = torch.arange(rows) + 1 + keys - rows
                spans = torch.stack([0 * ends, ends], -1)[None]
        return RecordedParts(
            query=query[item],
            key=key[item],
            value=None if self.value is None else self.value[item],
            scale=self.query.shape[-1] ** -0.5 if self.scale is None else self.scale,
            bias=self.bias,
            allowed=allowed,
            score=self.names[0],
            parameters=self.parameters,
            normalizer=self.names[1],
            numbers=self.numbers,
            spans=spans,
        )


def heads_of(
    tokens: Sequence[str], heads: int, layer: int = 0, width: int = 32
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of heads that each do something known."""
    length = len(tokens)
    generator = torch.Generator().manual_seed(layer)
    places = torch.arange(length).unsqueeze(1) / (10000 ** (torch.arange(width // 2) / (width / 2)))
    position = torch.cat([places.sin(), places.cos()], 1)
    same = {token: n for n, token in enumerate(dict.fromkeys(tokens))}
    table = torch.randn(len(same), width, generator=generator)
    content = table[[same[token] for token in tokens]]
    first = torch.zeros(length, width)
    first[0] = 3.0
    queries, keys = [], []
    for head in range(heads):
        kind = (head + layer) % 6
        noise = 0.25 * torch.randn(length, width, generator=generator)
        if kind == 0:  # the previous token
            q, k = 3.2 * position.roll(1, 0), 3.2 * position
        elif kind == 1:  # itself, and what is the same
            q, k = 1.6 * content, 1.6 * content
        elif kind == 2:  # the first token
            q, k = torch.ones(length, width), first
        elif kind == 3:  # near by
            q, k = 1.9 * position, 1.9 * position
        elif kind == 4:  # all
            q, k = 0.2 * content, 0.2 * content.flip(0)
        else:  # what is the same, and the first
            q, k = content + 0.3, content + first
        queries.append(q + noise)
        keys.append(k)
    value = torch.randn(heads, length, width, generator=generator)
    return torch.stack(queries)[None], torch.stack(keys)[None], value[None]


def encoder(
    tokens: Sequence[str], layers: int = 2, heads: int = 6, **options: Any
) -> list[Recorded]:
    """Layers of self-attention over some tokens."""
    return [
        Recorded(
            *heads_of(tokens, heads, layer), name=f"encoder.layers.{layer}.attention", **options
        )
        for layer in range(layers)
    ]
