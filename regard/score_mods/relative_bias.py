"""Relative position bias in buckets, as in T5."""

from bisect import bisect_left
from functools import lru_cache, partial
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from regard._numbers import count
from regard._pairwise import Count, Index, check_device
from regard._torch_private import is_traced


class RelativeBias(nn.Module):
    """Add a learned number per bucket of distances and head: score + weight[bucket(k − q), h].

    One direction has n buckets; with e = n / 2, a distance d < e has its own bucket, and longer
    ones share e + ⌊(n − e) · ln(d / e) / ln(max_distance / e)⌋, at most n − 1. The bidirectional
    form gives each direction half of the buckets; the other puts all keys ahead into bucket 0.
    The logarithm is compared in exact integers, so no boundary depends on rounding.

    Args:
        max_distance: distances from here on share the last bucket.
        bidirectional: whether keys ahead have buckets; T5's decoder uses False.

    Raises ValueError for too few buckets or too short a max_distance; `check` raises it when the
    call has a different number of heads or another device.

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

    def __init__(
        self,
        num_heads: Count,
        num_buckets: Count = 32,
        max_distance: Count = 128,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        owner = "RelativeBias"
        num_heads = count(owner, "num_heads", num_heads, 1, "give the number of query heads")
        num_buckets = count(owner, "num_buckets", num_buckets, 0, "T5 uses 32")
        max_distance = count(owner, "max_distance", max_distance, 0, "T5 uses 128")
        fewest = 4 if bidirectional else 2
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
        self.openings = _openings(one_way, max_distance)
        self.weight = nn.Parameter(torch.empty(num_buckets, num_heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small biases, so that distance has little influence at first."""
        nn.init.normal_(self.weight, std=0.02)

    def bucket(self, distance: Index) -> Index:
        """The bucket of a signed distance k − q."""
        if is_traced() or type(distance) is not Tensor:
            return _buckets(distance, self.openings, self.bidirectional)
        farthest = self.max_distance
        table = _table(self.openings, farthest, self.bidirectional, distance.device)
        return table[distance.clamp(-farthest, farthest) + farthest]

    def forward(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Add the bucket's bias."""
        exact = torch.promote_types(score.dtype, torch.float32)
        bias = self.weight[self.bucket(k - q), h].to(exact)
        return (score.to(exact) + bias).to(score.dtype)

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


def _openings(one_way: int, max_distance: int) -> tuple[int, ...]:
    """Find the distance that opens each bucket of one direction but the first."""
    exact = one_way // 2
    wide = one_way - exact

    def reaches(distance: int, step: int) -> bool:
        # (n − e) · ln(d / e) / ln(m / e) ≥ j  ⟺  d^(n−e) · e^j ≥ m^j · e^(n−e)
        return distance**wide * exact**step >= max_distance**step * exact**wide

    shared = (
        bisect_left(range(max_distance + 1), True, key=partial(reaches, step=step))
        for step in range(wide)
    )
    return (*range(1, exact), *shared)


def _buckets(distance: Index, openings: tuple[int, ...], bidirectional: bool) -> Index:
    """Count the openings that a distance has reached: integers only, and no tensor beside it."""
    away = distance.abs() if bidirectional else (-distance).clamp(min=0)
    alone = next((n for n, opening in enumerate(openings) if opening != n + 1), len(openings))
    bucket = away.clamp(max=alone)
    for opening in openings[alone:]:
        bucket = bucket + (away >= opening)
    return bucket + (len(openings) + 1) * (distance > 0) if bidirectional else bucket


@lru_cache(maxsize=64)
def _table(
    openings: tuple[int, ...], max_distance: int, bidirectional: bool, device: torch.device
) -> Tensor:
    """Keep the buckets of all distances up to the longest, on the device that asks for them.

    No buffer holds it: one would have to be filled anew whenever the module is made without
    numbers, on the meta device, and then loaded from a checkpoint.
    """
    with torch.inference_mode(False):
        distances = torch.arange(-max_distance, max_distance + 1, device=device)
        return _buckets(distances, openings, bidirectional)
