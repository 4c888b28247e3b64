"""The keys of each row from the best down, as a matrix or, where few can matter, as a list.

`best` holds their scores in float64 and `place` counts them in each row from 0. A number per row is
`[*rows, 1]`. The list has the same methods and is for the CPU, where one may look.
"""

from typing import Any

import torch
from torch import Tensor

from regard._torch_private import surely


class DenseKeys:
    """Every key: entries are `[*rows, k_len]`."""

    def __init__(self, scores: Tensor) -> None:
        self.dtype = scores.dtype
        self.order = scores.detach().argsort(dim=-1, descending=True)
        self.best = scores.gather(-1, self.order).double()
        self.place = torch.arange(scores.shape[-1], device=scores.device)
        self.size = torch.zeros_like(self.order[..., :1]) + scores.shape[-1]
        self.halvings = _halvings(scores.shape[-1])

    def total(self, entries: Tensor) -> Tensor:
        """Sum over each row."""
        return entries.sum(dim=-1, keepdim=True)

    def spread(self, per_row: Tensor) -> Tensor:
        """Each row's number, for its entries."""
        return per_row

    def at(self, entries: Tensor, place: Tensor) -> Tensor:
        """The entry at one place of each row."""
        return entries.gather(-1, place)

    def dense(self, weights: Tensor) -> Tensor:
        """The entries' weights as a matrix, in the order of the keys."""
        return torch.zeros_like(weights).scatter(-1, self.order, weights).to(self.dtype)


class ListedKeys:
    """The listed keys, one or more; those of a row are among its best: entries are `[pairs]`."""

    def __init__(self, scores: Tensor, pairs: Tensor) -> None:
        self.dtype, self.shape, k_len = scores.dtype, scores.shape, scores.shape[-1]
        flat = scores.reshape(-1)
        pairs = pairs[flat.detach().index_select(0, pairs).argsort(descending=True)]
        row, order = pairs.div(k_len, rounding_mode="floor").sort(stable=True)
        counts = row.bincount(minlength=self.shape[:-1].numel())
        self.pairs, self.row, self.start = pairs[order], row, counts.cumsum(0) - counts
        self.best = flat.index_select(0, self.pairs).double()
        self.place = torch.arange(len(row), device=scores.device) - self.start[row]
        self.size = counts.reshape(*self.shape[:-1], 1)
        self.halvings = _halvings(int(counts.max()))

    def total(self, entries: Tensor) -> Tensor:
        """Sum over each row."""
        sums = entries.new_zeros(len(self.start)).index_add(0, self.row, entries)
        return sums.reshape(self.size.shape)

    def spread(self, per_row: Tensor) -> Tensor:
        """Each row's number, for its entries."""
        return per_row.reshape(-1).index_select(0, self.row)

    def at(self, entries: Tensor, place: Tensor) -> Tensor:
        """The entry at one place of each row."""
        # A row without entries finds another's, and has no use for it.
        index = (self.start + place.reshape(-1)).clamp_max(len(entries) - 1)
        found = entries.index_select(0, index)
        return found.reshape(self.size.shape)

    def dense(self, weights: Tensor) -> Tensor:
        """The entries' weights as a matrix, in the order of the keys."""
        matrix = weights.new_zeros(self.shape.numel(), dtype=self.dtype)
        return matrix.index_put_((self.pairs,), weights.to(self.dtype)).reshape(self.shape)


def _halvings(k_len: Any) -> int:
    """How many halvings leave one key of so many; 32 where a recorded graph cannot know."""
    if not isinstance(k_len, Tensor):
        for halvings in range(32):
            if surely(k_len <= 1 << halvings):
                return halvings
    return 32
