"""Keys and values that are kept between calls, so that writing a token costs one token."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

BY_SOURCE = {"by": "source"}
"""Metadata of a field with one row for each source, and not for each of its beams."""


@dataclass(frozen=True, eq=False)
class StaticKVCache:
    """Keys and values that never change: those of a memory (`CrossAttention.precompute_kv`)."""

    key: Float[Tensor, "batch kv_heads k_len head_dim"]
    value: Float[Tensor, "batch kv_heads k_len value_dim"]

    def reorder(self, rows: Int[Tensor, " rows"]) -> "StaticKVCache":
        """The cache of these rows of the batch."""
        return StaticKVCache(self.key[rows], self.value[rows])


class KVCache:
    """Keys and values of everything read so far; each call of self-attention appends its own.

    Appending replaces the tensors and never writes into them: a `copy` goes its own way and costs
    nothing.

    Example:
        >>> cache, x = KVCache(), torch.randn(2, 4, 3, 8)
        >>> keys, values = cache.append(x, x)
        >>> keys, values = cache.append(x[:, :, :1], x[:, :, :1])
        >>> cache.length, keys.shape
        (4, torch.Size([2, 4, 4, 8]))
        >>> cache.reorder(torch.tensor([1, 1, 0])).key.shape
        torch.Size([3, 4, 4, 8])
    """

    def __init__(self, key: Tensor | None = None, value: Tensor | None = None) -> None:
        self.key, self.value = key, value

    @property
    def length(self) -> int:
        """How many positions are kept."""
        return 0 if self.key is None else self.key.shape[2]

    def append(
        self,
        key: Float[Tensor, "batch kv_heads new head_dim"],
        value: Float[Tensor, "batch kv_heads new value_dim"],
    ) -> tuple[
        Float[Tensor, "batch kv_heads k_len head_dim"],
        Float[Tensor, "batch kv_heads k_len value_dim"],
    ]:
        """Keep the new positions and return all of them, old and new.

        Raises `ValueError` when the batch is not that of the positions kept.
        """
        key = self.keys(key)
        value = value if self.value is None else torch.cat([self.value, value], dim=2)
        self.key, self.value = key, value
        return key, value

    def keys(
        self, key: Float[Tensor, "batch kv_heads new head_dim"]
    ) -> Float[Tensor, "batch kv_heads k_len head_dim"]:
        """The keys kept and these behind them, which are not kept.

        Raises `ValueError` when the batch is not that of the positions kept.
        """
        if self.key is None:
            return key
        if key.shape[0] != self.key.shape[0]:
            raise ValueError(
                f"the cache holds {self.key.shape[0]} rows but {key.shape[0]} are appended; "
                "reorder the cache or start a new one"
            )
        return torch.cat([self.key, key], dim=2)

    def copy(self) -> "KVCache":
        """A cache that begins with the same positions."""
        return KVCache(self.key, self.value)

    def reorder(self, rows: Int[Tensor, " rows"]) -> "KVCache":
        """The cache of these rows of the batch, as a beam search continues them."""
        if self.key is None or self.value is None:
            return KVCache()
        return KVCache(self.key[rows], self.value[rows])
