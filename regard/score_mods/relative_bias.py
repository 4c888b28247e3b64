"""Relative position bias in buckets, as in T5."""

from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from regard._pairwise import Index, check_device


class RelativeBias(nn.Module):
    """Add a learned number per bucket of distances and head: score + weight[bucket(k − q), h].

    One direction has n buckets; with e = n / 2, a distance d < e has a bucket of its own, and
    longer ones share e + ⌊(n − e) · ln(d / e) / ln(max_distance / e)⌋, at most n − 1. The
    bidirectional form gives each direction half of the buckets, the other puts all keys ahead into
    bucket 0. The logarithm is compared in exact integers, so no boundary depends on rounding.

    Args:
        max_distance: distances from here on share the last bucket.
        bidirectional: whether keys ahead have buckets; decoders of T5 use False.

    Raises ValueError for too few buckets or too short a max_distance; `check` raises it when the
    call has other heads or another device.

    >>> import torch
    >>> from regard.score_mods import RelativeBias
    >>> mod = RelativeBias(num_heads=1)
    >>> mod.bucket(torch.tensor([-200, -16, -3, 0, 3, 16, 200]))
    tensor([15, 10,  3,  0, 19, 26, 31])

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    additive: ClassVar[bool] = True
    buckets: Tensor

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        fewest = 4 if bidirectional else 2
        if num_heads < 1:
            raise ValueError(f"RelativeBias needs num_heads >= 1, got {num_heads}; give one each.")
        if num_buckets < fewest or (bidirectional and num_buckets % 2):
            raise ValueError(
                f"RelativeBias needs num_buckets >= {fewest}, even where bidirectional, got "
                f"{num_buckets}; T5 uses 32."
            )
        one_way = num_buckets // 2 if bidirectional else num_buckets
        if max_distance <= one_way // 2:
            raise ValueError(
                f"RelativeBias needs max_distance > {one_way // 2}, the number of exact buckets, "
                f"got {max_distance}; T5 uses 128."
            )
        self.num_heads, self.num_buckets = num_heads, num_buckets
        self.max_distance, self.bidirectional = max_distance, bidirectional
        self.weight = nn.Parameter(torch.empty(num_buckets, num_heads))
        buckets = [self._bucket(d) for d in range(-max_distance, max_distance + 1)]
        self.register_buffer("buckets", torch.tensor(buckets), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small biases; the distance starts with little say."""
        nn.init.normal_(self.weight, std=0.02)

    def bucket(self, distance: Index) -> Index:
        """Name the bucket of a signed distance k − q."""
        farthest = self.max_distance
        return self.buckets[distance.clamp(-farthest, farthest) + farthest]

    def forward(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Add the bucket's bias."""
        return score + self.weight[self.bucket(k - q), h].to(score.dtype)

    def check(
        self, query: Shaped[Tensor, "_ heads _ _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless there is a column for every query head, on the query's device."""
        check_device("RelativeBias", self.weight, query)
        if query.shape[1] != self.num_heads:
            raise ValueError(
                f"RelativeBias has num_heads {self.num_heads} but query has {query.shape[1]} "
                f"heads; use RelativeBias({query.shape[1]})."
            )

    def extra_repr(self) -> str:
        """Print the arguments."""
        return (
            f"num_heads={self.num_heads}, num_buckets={self.num_buckets}, "
            f"max_distance={self.max_distance}, bidirectional={self.bidirectional}"
        )

    def _bucket(self, distance: int) -> int:
        """Name the bucket of one distance in exact integer arithmetic."""
        one_way = self.num_buckets // 2 if self.bidirectional else self.num_buckets
        first = one_way if self.bidirectional and distance > 0 else 0
        d = abs(distance) if self.bidirectional else max(-distance, 0)
        exact = one_way // 2
        if d < exact:
            return first + d
        # (n − e) · ln(d / e) / ln(m / e) ≥ j  ⟺  d^(n−e) · e^j ≥ m^j · e^(n−e)
        wide = one_way - exact
        steps = range(1, wide)
        reached = sum(d**wide * exact**j >= self.max_distance**j * exact**wide for j in steps)
        return first + exact + reached
