"""The memory of a text's previous segments: the inputs of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from regard.sequences import Packed, Sequences


@dataclass(frozen=True, eq=False)
class Memory:
    """The states of tokens before the present segment, aligned at the end.

    So a row with a shorter memory is padded at the start, and each state is as far from the coming
    tokens as it was in the text.

    Args:
        states: the input of each layer, detached.
        lengths: number of real states per row; None if all are.
    """

    states: tuple[Float[Tensor, "batch past embed_dim"], ...]
    lengths: Int[Tensor, " batch"] | None = None

    @property
    def length(self) -> int:
        """The number of states in the longest row."""
        return self.states[0].shape[1]

    def counts(self, rows: int, device: torch.device) -> Int[Tensor, " batch"]:
        """The number of real states per row."""
        if self.lengths is not None:
            return self.lengths
        return torch.full((rows,), self.length, device=device)

    def take(self, rows: Int[Tensor, " some"]) -> "Memory":
        """The memories of these rows, such as those of the surviving beams."""
        lengths = None if self.lengths is None else self.lengths[rows]
        return Memory(tuple(each[rows] for each in self.states), lengths)


def remembered(
    source: Sequences | Packed,
    entered: Sequence[Tensor],
    past: Memory | None,
    most: int | None,
    reuse: int | None,
) -> Memory:
    """The memory after a segment.

    Args:
        entered: the input of each layer for the segment's tokens.
        past: the memory before it.
        most: maximum number of states per row; None for all.
        reuse: how many of the segment's tokens are kept, its first ones; None for all.
    """
    rows = [source.rows(each.detach()) for each in entered]
    device, width = rows[0].device, rows[0].shape[1]
    counts = source.counts if reuse is None else source.counts.clamp(max=reuse)
    taken = width if reuse is None else min(width, reuse)
    before = 0 if past is None else past.length
    longest = before + taken if most is None else min(before + taken, most)
    if source.lengths is None and (past is None or past.lengths is None):
        kept = [each[:, :taken] for each in rows]
        joined = _behind(past, kept)
        return Memory(tuple(each[:, each.shape[1] - longest :] for each in joined))
    known = torch.zeros_like(counts) if past is None else past.counts(len(source), device)
    # What is there stands together, for a memory ends where a row of tokens begins.
    end = rearrange(before + counts, "batch -> batch 1")
    place = (end - longest + torch.arange(longest, device=device)).clamp(min=0)
    joined = _behind(past, rows)
    index = [rearrange(place, "b m -> b m 1").expand(-1, -1, each.shape[2]) for each in joined]
    states = (each.gather(1, where) for each, where in zip(joined, index, strict=True))
    return Memory(tuple(states), (known + counts).clamp(max=longest))


def _behind(past: Memory | None, rows: list[Tensor]) -> list[Tensor]:
    if past is None:
        return rows
    return [torch.cat(pair, dim=1) for pair in zip(past.states, rows, strict=True)]
