"""Which positions of a sequence a rank has: contiguous runs, each a start and a length."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

Spans = Sequence[tuple[int, int]]
"""Contiguous runs of positions, (start, length), in the order in which a rank holds them."""


def zig_zag(length: int, rank: int, world: int) -> list[tuple[int, int]]:
    """The positions of a rank that balance the work of all ranks under a causal mask.

    The sequence is split into twice as many runs as there are ranks; rank r takes the r-th from
    the front and the r-th from the back, pairing early queries, which see few keys, with late
    ones.

    >>> [zig_zag(16, rank, 2) for rank in range(2)]
    [[(0, 4), (12, 4)], [(4, 4), (8, 4)]]

    References:
        Zhu. Zigzag ring attention. 2024. https://github.com/zhuzilin/ring-flash-attention
        Brandon, Nrusimha, Qian, Ankner, Jin, Song & Ragan-Kelley. Striped Attention: Faster Ring
        Attention for Causal Transformers. 2023. https://arxiv.org/abs/2311.09431
    """
    if not 0 <= rank < world or length < 0:
        raise ValueError(
            f"zig_zag needs 0 <= rank < world and a length from 0, got rank {rank}, world {world} "
            f"and length {length}: give torch.distributed's own numbers."
        )
    ends = [length * n // (2 * world) for n in range(2 * world + 1)]
    runs = [(ends[n], ends[n + 1] - ends[n]) for n in (rank, 2 * world - 1 - rank)]
    return [run for run in runs if run[1] > 0]


def shard(tensor: Shaped[Tensor, "..."], spans: Spans, dim: int = 2) -> Shaped[Tensor, "..."]:
    """Select the positions of some spans from a tensor of the whole sequence.

    >>> shard(torch.arange(8), zig_zag(8, 0, 2), dim=0)
    tensor([0, 1, 6, 7])
    """
    for start, length in spans:
        if not 0 <= start <= start + length <= tensor.shape[dim]:
            raise ValueError(
                f"a span of {length} from {start} is not within the {tensor.shape[dim]} places of "
                f"dimension {dim}: give the tensor of the whole sequence."
            )
    if not spans:
        return tensor.narrow(dim, 0, 0)
    return torch.cat([tensor.narrow(dim, start, length) for start, length in spans], dim)


def unshard(
    tensor: Shaped[Tensor, "..."],
    spans: Spans,
    length: int,
    *,
    group: dist.ProcessGroup | None = None,
    dim: int = 2,
) -> Shaped[Tensor, "..."]:
    """Gather the tensor of the whole sequence, on every rank; without a gradient.

    Every rank must call it, with its own spans, which together have to cover `length` positions.
    """
    places = torch.cat([torch.arange(s, s + n) for s, n in spans] or [torch.arange(0)])
    if len(places) != tensor.shape[dim]:
        raise ValueError(
            f"the spans have {len(places)} places but dimension {dim} has {tensor.shape[dim]}: "
            "give the spans that the tensor was cut by."
        )
    shape = list(tensor.shape)
    shape[dim] = length
    whole = tensor.new_zeros(shape)
    whole.index_copy_(dim, places.to(tensor.device), tensor.detach())
    # Every place is zero but on one rank, so that the sum is what that rank has.
    dist.all_reduce(whole, group=group)
    return whole
