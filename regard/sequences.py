"""Sequences of different lengths as one value, padded (`Sequences`) or end to end (`Packed`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from regard._torch_private import can_look_at
from regard.masks import Document, Padding


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of sequences, one a row, with padding behind the shorter ones.

    Args:
        ids: token numbers; what stands behind a row's end is never looked at.
        lengths: how many tokens each row has; None where no row is padded.

    >>> batch = Sequences.of([[7, 8, 9], [5]])
    >>> batch.ids, batch.lengths, batch.num_tokens, batch.num_cells
    (tensor([[7, 8, 9],
            [5, 0, 0]]), tensor([3, 1]), 4, 6)
    """

    ids: Int[Tensor, "batch len"]
    lengths: Int[Tensor, " batch"] | None = None

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], pad: int = 0) -> "Sequences":
        """Pad lists of numbers to the longest."""
        longest = max((len(row) for row in rows), default=0)
        filled = [[*row, *[pad] * (longest - len(row))] for row in rows]
        ids = torch.tensor(filled, dtype=torch.long)
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
        return cls(ids.reshape(len(rows), longest), lengths)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.ids.device

    @property
    def mask(self) -> Padding | None:
        """What hides the padding; None where there is none, as far as that is free to know."""
        if self.lengths is None:
            return None
        if can_look_at(self.lengths) and bool((self.lengths >= self.ids.shape[1]).all()):
            return None
        return Padding(self.lengths)

    @property
    def counts(self) -> Int[Tensor, " batch"]:
        """The lengths, also where nothing is padded."""
        if self.lengths is not None:
            return self.lengths
        return torch.full((len(self),), self.ids.shape[1], device=self.device)

    @property
    def real(self) -> Bool[Tensor, "batch len"]:
        """Which places hold a token."""
        return self.positions < rearrange(self.counts, "batch -> batch 1")

    @property
    def positions(self) -> Int[Tensor, "1 len"]:
        """Where in its sequence each place is, from 0."""
        return rearrange(torch.arange(self.ids.shape[1], device=self.device), "len -> 1 len")

    @property
    def num_tokens(self) -> int:
        """Tokens, without padding."""
        return self.num_cells if self.lengths is None else int(self.lengths.sum())

    @property
    def num_cells(self) -> int:
        """Places, with padding."""
        return self.ids.numel()

    def to(self, device: torch.device) -> "Sequences":
        """The same on a device."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Sequences(self.ids.to(device), lengths)

    def take(self, rows: Int[Tensor, " some"]) -> "Sequences":
        """Some of the rows."""
        return Sequences(self.ids[rows], None if self.lengths is None else self.lengths[rows])

    def zero_padding(self, x: Float[Tensor, "batch len width"]) -> Float[Tensor, "batch len width"]:
        """The vectors with zeros where there is no token."""
        if self.lengths is None:
            return x
        return x.masked_fill(rearrange(~self.real, "batch len -> batch len 1"), 0.0)

    def mean(self, x: Float[Tensor, "batch len width"]) -> Float[Tensor, "batch width"]:
        """The mean of each sequence's vectors; zeros for an empty sequence."""
        if self.lengths is None:
            return x.mean(1) if x.shape[1] else x.new_zeros(len(x), x.shape[2])
        real = rearrange(self.real, "batch len -> batch len 1")
        count = rearrange(self.lengths.clamp(min=1), "batch -> batch 1")
        return x.masked_fill(~real, 0.0).sum(1) / count

    def last(self, x: Float[Tensor, "batch len width"]) -> Float[Tensor, "batch width"]:
        """Each sequence's last vector; zeros for an empty sequence."""
        if x.shape[1] == 0:
            return x.new_zeros(len(x), x.shape[2])
        place = rearrange((self.counts - 1).clamp(min=0), "batch -> batch 1 1")
        found = x.gather(1, place.expand(-1, -1, x.shape[2])).squeeze(1)
        return found.masked_fill(rearrange(self.counts == 0, "batch -> batch 1"), 0.0)

    def first(self, x: Float[Tensor, "batch len width"]) -> Float[Tensor, "batch width"]:
        """Each sequence's first vector; zeros for an empty sequence."""
        if x.shape[1] == 0:
            return x.new_zeros(len(x), x.shape[2])
        return x[:, 0].masked_fill(rearrange(self.counts == 0, "batch -> batch 1"), 0.0)


@dataclass(frozen=True, eq=False)
class Packed:
    """Sequences end to end in one row, without padding; it answers as `Sequences` does.

    What sees only its own sequence is said by the mask, and positions begin anew with each.

    Args:
        ids: the tokens of all sequences.
        lengths: how many each has.

    >>> packed = Packed.of(Sequences.of([[7, 8, 9], [5]]))
    >>> packed.ids, packed.positions
    (tensor([[7, 8, 9, 5]]), tensor([[0, 1, 2, 0]]))
    >>> packed.mean(packed.ids.unsqueeze(-1).float())
    tensor([[8.],
            [5.]])
    """

    ids: Int[Tensor, "1 total"]
    lengths: Int[Tensor, " batch"]

    @classmethod
    def of(cls, padded: Sequences) -> "Packed":
        """The same sequences without their padding."""
        return cls(rearrange(padded.ids[padded.real], "total -> 1 total"), padded.counts)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.ids.device

    @property
    def owner(self) -> Int[Tensor, " total"]:
        """Which sequence each token belongs to."""
        number = torch.arange(len(self.lengths), device=self.device)
        return number.repeat_interleave(self.lengths, output_size=self.ids.shape[1])

    @property
    def starts(self) -> Int[Tensor, " batch"]:
        """Where each sequence begins."""
        return self.lengths.cumsum(0) - self.lengths

    @property
    def mask(self) -> Document:
        """What keeps every token within its own sequence."""
        return Document(rearrange(self.owner, "total -> 1 total"))

    @property
    def counts(self) -> Int[Tensor, " batch"]:
        """The lengths."""
        return self.lengths

    @property
    def real(self) -> Bool[Tensor, "1 total"]:
        """Which places hold a token: all."""
        return torch.ones_like(self.ids, dtype=torch.bool)

    @property
    def positions(self) -> Int[Tensor, "1 total"]:
        """Where in its sequence each token is, from 0."""
        place = torch.arange(self.ids.shape[1], device=self.device)
        return rearrange(place - self.starts[self.owner], "total -> 1 total")

    @property
    def num_tokens(self) -> int:
        """Tokens."""
        return self.ids.numel()

    @property
    def num_cells(self) -> int:
        """Places: as many as tokens."""
        return self.ids.numel()

    def to(self, device: torch.device) -> "Packed":
        """The same on a device."""
        return Packed(self.ids.to(device), self.lengths.to(device))

    def zero_padding(self, x: Float[Tensor, "1 total width"]) -> Float[Tensor, "1 total width"]:
        """The vectors as they are: there is no padding."""
        return x

    def mean(self, x: Float[Tensor, "1 total width"]) -> Float[Tensor, "batch width"]:
        """The mean of each sequence's vectors; zeros for an empty sequence."""
        sums = x.new_zeros(len(self), x.shape[2]).index_add(0, self.owner, x[0])
        return sums / rearrange(self.lengths.clamp(min=1), "batch -> batch 1")

    def last(self, x: Float[Tensor, "1 total width"]) -> Float[Tensor, "batch width"]:
        """Each sequence's last vector; zeros for an empty sequence."""
        return self._at(x, self.starts + self.lengths - 1)

    def first(self, x: Float[Tensor, "1 total width"]) -> Float[Tensor, "batch width"]:
        """Each sequence's first vector; zeros for an empty sequence."""
        return self._at(x, self.starts)

    def _at(self, x: Tensor, places: Tensor) -> Tensor:
        if x.shape[1] == 0:
            return x.new_zeros(len(self), x.shape[2])
        found = x[0, places.clamp(min=0, max=x.shape[1] - 1)]
        return found.masked_fill(rearrange(self.lengths == 0, "batch -> batch 1"), 0.0)
