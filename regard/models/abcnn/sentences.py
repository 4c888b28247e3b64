"""One side of a batch of sentence pairs, and how well the two sides match, column by column."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard._attention import attention_weights
from regard._typing import Score
from regard.layers.part_module import unwrapped
from regard.normalizers.unnormalized import unnormalized


@dataclass(frozen=True, eq=False)
class Sentences:
    """Columns of one side (words, or what a layer made of them), all zero where there is padding.

    `lengths` are the numbers of columns that are no padding, None where none is.
    """

    columns: Float[Tensor, "batch len width"]
    lengths: Int[Tensor, " batch"] | None

    @classmethod
    def of(cls, columns: Tensor, lengths: Tensor | None) -> "Sentences":
        """Columns whose padding may hold anything yet."""
        if lengths is None:
            return cls(columns, None)
        hidden = ~_real(columns, lengths)
        return cls(columns.masked_fill(hidden.unsqueeze(-1), 0.0), lengths)

    @property
    def real(self) -> Bool[Tensor, "batch len"]:
        """Which columns are no padding."""
        return _real(self.columns, self.lengths)

    def mean(self) -> Float[Tensor, "batch width"]:
        """The average of the columns; zeros for a sentence without any."""
        total = self.columns.sum(1)
        if self.lengths is None:
            return total / max(1, self.columns.shape[1])
        return total / rearrange(self.lengths.clamp_min(1), "batch -> batch 1")


def match(
    left: Sentences, right: Sentences, score: Score
) -> Float[Tensor, "batch left_len right_len"]:
    """The attention matrix: how well each column of the left matches each of the right.

    The scores themselves, not normalised; 0 where either is padding.
    """
    mask = None
    if left.lengths is not None or right.lengths is not None:
        rows, columns = left.real, right.real
        mask = rearrange(rows, "batch len -> batch 1 len 1") & rearrange(
            columns, "batch len -> batch 1 1 len"
        )
    scores = attention_weights(
        rearrange(left.columns, "batch len width -> batch 1 len width"),
        rearrange(right.columns, "batch len width -> batch 1 len width"),
        score=unwrapped(score),
        mask=mask,
        normalizer=unnormalized,
    )
    return rearrange(scores, "batch 1 left_len right_len -> batch left_len right_len")


def _real(columns: Tensor, lengths: Tensor | None) -> Tensor:
    batch, length = columns.shape[:2]
    if lengths is None:
        return torch.ones(batch, length, dtype=torch.bool, device=columns.device)
    place = torch.arange(length, device=columns.device)
    return place < rearrange(lengths, "batch -> batch 1")
