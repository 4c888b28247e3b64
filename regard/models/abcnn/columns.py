"""One side of a batch of sentence pairs, and the match of the two sides, column by column."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard.layers import Attend


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of one side (words, or a layer's output), zero at padding.

    `lengths` are the numbers of real columns, None without padding.

    >>> Columns.of(torch.ones(2, 3, 1), torch.tensor([3, 1])).values[1].T
    tensor([[1., 0., 0.]])
    """

    values: Float[Tensor, "batch len width"]
    lengths: Int[Tensor, " batch"] | None

    @classmethod
    def of(cls, values: Tensor, lengths: Tensor | None) -> "Columns":
        """Columns whose padding may still hold anything."""
        if lengths is None:
            return cls(values, None)
        hidden = rearrange(~cls(values, lengths).real, "batch len -> batch len 1")
        return cls(values.masked_fill(hidden, 0.0), lengths)

    @property
    def real(self) -> Bool[Tensor, "batch len"]:
        """Which columns are not padding."""
        batch, length = self.values.shape[:2]
        place = torch.arange(length, device=self.values.device)
        if self.lengths is None:
            return (place >= 0).expand(batch, length)
        return place < rearrange(self.lengths, "batch -> batch 1")

    def mean(self) -> Float[Tensor, "batch width"]:
        """The average of the columns; zeros for a sentence without any."""
        total = self.values.sum(1)
        if self.lengths is None:
            return total / max(1, self.values.shape[1])
        return total / rearrange(self.lengths.clamp_min(1), "batch -> batch 1")

    def weighted(self, weights: Float[Tensor, "batch len"]) -> "Columns":
        """Each column times its weight."""
        return Columns(self.values * rearrange(weights, "batch len -> batch len 1"), self.lengths)


def match(
    left: Columns, right: Columns, attend: Attend
) -> Float[Tensor, "batch left_len right_len"]:
    """The attention matrix: how well each column of the left matches each of the right.

    0 where either is padding; normalized only if `attend` does so.
    """
    mask = None
    if left.lengths is not None or right.lengths is not None:
        rows = rearrange(left.real, "batch len -> batch 1 len 1")
        mask = rows & rearrange(right.real, "batch len -> batch 1 1 len")
    query, key = (
        rearrange(x.values, "batch len width -> batch 1 len width") for x in (left, right)
    )
    matrix = attend.weights(query, key, mask)
    return rearrange(matrix, "batch 1 left_len right_len -> batch left_len right_len")
