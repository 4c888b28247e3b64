"""Batches of sequences of different lengths, padded (`Sequences`) or concatenated (`Packed`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from regard._printable import shown
from regard._torch_private import can_look_at
from regard.masks import Document, Padding

Network = TypeVar("Network")
Found = TypeVar("Found")
More = ParamSpec("More")


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of sequences, one per row, right-padded.

    Args:
        ids: token ids; padding may have any value.
        lengths: number of tokens in each row; None if no row is padded.
        segments: the segment id of each token, such as 0 and 1 for the two texts of a pair, for
            networks that use it; None if there is only one segment.

    >>> batch = Sequences.of([[7, 8, 9], [5]])
    >>> batch.ids, batch.lengths, batch.num_tokens, batch.num_cells
    (tensor([[7, 8, 9],
            [5, 0, 0]]), tensor([3, 1]), 4, 6)
    """

    ids: Int[Tensor, "batch len"]
    lengths: Int[Tensor, " batch"] | None = None
    segments: Int[Tensor, "batch len"] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], pad: int = 0) -> "Sequences":
        """Pad lists of ids to the longest."""
        longest = max((len(row) for row in rows), default=0)
        filled = [[*row, *[pad] * (longest - len(row))] for row in rows]
        ids = torch.tensor(filled, dtype=torch.long)
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
        return cls(ids.reshape(len(rows), longest), lengths)

    @classmethod
    def where(
        cls,
        ids: Int[Tensor, "batch len"],
        real: Bool[Tensor, "batch len"],
        segments: Int[Tensor, "batch len"] | None = None,
    ) -> "Sequences":
        """The tokens that are `real`, wherever the padding is: right, left or in between.

        Positions count only the tokens, so that left padding changes nothing. `Sequences.back`
        puts a network's outputs back into the original places.

        Raises `TypeError` for a mask that is not boolean, such as 0 and 1.

        >>> ids = torch.tensor([[0, 0, 7], [4, 5, 6]])
        >>> batch = Sequences.where(ids, ids != 0)
        >>> batch.ids, batch.lengths
        (tensor([[7, 0, 0],
                [4, 5, 6]]), tensor([1, 3]))
        >>> Sequences.back(batch.ids, ids != 0)
        tensor([[0, 0, 7],
                [4, 5, 6]])
        """
        if real.dtype != torch.bool:
            raise TypeError(f"what is real must be said by truth values, got {real.dtype}")
        if real.shape != ids.shape:
            raise ValueError(f"ids have shape {[*ids.shape]}, what is real {[*real.shape]}")
        order = (~real).int().sort(dim=1, stable=True).indices
        lengths = real.sum(1)
        parts = None if segments is None else segments.gather(1, order)
        return cls(ids.gather(1, order), lengths, parts)

    @staticmethod
    def back(
        x: Shaped[Tensor, "batch len *more"], real: Bool[Tensor, "batch len"]
    ) -> Shaped[Tensor, "batch len *more"]:
        """Values at the tokens of `Sequences.where`, put back where the tokens came from.

        Padding gets zeros.
        """
        place = (real.cumsum(1) - 1).clamp(min=0)
        index = place.reshape(*place.shape, *[1] * (x.ndim - 2)).expand_as(x)
        gone = (~real).reshape(*real.shape, *[1] * (x.ndim - 2))
        return x.gather(1, index).masked_fill(gone, 0)

    @classmethod
    def joined(cls, left: "Sequences", right: "Sequences", told: bool = True) -> "Sequences":
        """Each row of `left` followed by that of `right`.

        Args:
            told: whether to give the left tokens segment 0 and the right ones segment 1.

        >>> both = Sequences.joined(Sequences.of([[7, 8], [5]]), Sequences.of([[3], [4, 6]]))
        >>> both.ids, both.segments
        (tensor([[7, 8, 3],
                [5, 4, 6]]), tensor([[0, 0, 1],
                [0, 1, 1]]))
        """
        lengths = left.counts + right.counts
        width = left.ids.shape[1] + right.ids.shape[1]
        if can_look_at(lengths):
            width = int(lengths.max()) if len(lengths) else 0
        place = torch.arange(width, device=left.device).expand(len(left), -1)
        begun = rearrange(left.counts, "batch -> batch 1")
        ids = torch.cat([left.ids, right.ids], dim=1)
        # What stands behind a row's end is never looked at.
        behind = (place - begun).clamp(0, max(0, right.ids.shape[1] - 1)) + left.ids.shape[1]
        at = torch.where(place < begun, place, behind).clamp(max=max(0, ids.shape[1] - 1))
        segments = (place >= begun).long() if told else None
        return cls(ids.gather(1, at), lengths, segments)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.ids.device

    @property
    def mask(self) -> Padding | None:
        """The padding mask; None without padding, if that is known without a device sync."""
        if self.lengths is None:
            return None
        if can_look_at(self.lengths) and bool((self.lengths >= self.ids.shape[1]).all()):
            return None
        return Padding(self.lengths)

    @property
    def counts(self) -> Int[Tensor, " batch"]:
        """The lengths, even if nothing is padded."""
        if self.lengths is not None:
            return self.lengths
        return torch.full((len(self),), self.ids.shape[1], device=self.device)

    @property
    def real(self) -> Bool[Tensor, "batch len"]:
        """Which places hold a token."""
        return self.positions < rearrange(self.counts, "batch -> batch 1")

    @property
    def positions(self) -> Int[Tensor, "1 len"]:
        """The position of each place in its sequence, from 0."""
        return rearrange(torch.arange(self.ids.shape[1], device=self.device), "len -> 1 len")

    @property
    def num_tokens(self) -> int:
        """Number of tokens, without padding."""
        return self.num_cells if self.lengths is None else int(self.lengths.sum())

    @property
    def num_cells(self) -> int:
        """Number of places, including padding."""
        return self.ids.numel()

    def to(self, device: torch.device) -> "Sequences":
        """The same on a device."""
        lengths, segments = (_moved(x, device) for x in (self.lengths, self.segments))
        return Sequences(self.ids.to(device), lengths, segments)

    def take(self, rows: Int[Tensor, " some"]) -> "Sequences":
        """Some of the rows."""
        lengths, segments = (None if x is None else x[rows] for x in (self.lengths, self.segments))
        return Sequences(self.ids[rows], lengths, segments)

    def rows(self, x: Shaped[Tensor, "batch len *more"]) -> Shaped[Tensor, "batch len *more"]:
        """Values at the tokens, one row per sequence: unchanged."""
        return x

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
    """Sequences concatenated in one row, without padding, with the interface of `Sequences`.

    The mask confines attention to a token's own sequence, and positions restart with each.

    Args:
        ids: the tokens of all sequences.
        lengths: number of tokens in each.
        segments: as in `Sequences`.

    >>> packed = Packed.of(Sequences.of([[7, 8, 9], [5]]))
    >>> packed.ids, packed.positions
    (tensor([[7, 8, 9, 5]]), tensor([[0, 1, 2, 0]]))
    >>> packed.mean(packed.ids.unsqueeze(-1).float())
    tensor([[8.],
            [5.]])
    """

    ids: Int[Tensor, "1 total"]
    lengths: Int[Tensor, " batch"]
    segments: Int[Tensor, "1 total"] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, padded: Sequences) -> "Packed":
        """The same sequences without their padding."""
        real = padded.real.expand_as(padded.ids)
        segments = padded.segments
        if segments is not None:
            segments = rearrange(segments[real], "total -> 1 total")
        return cls(rearrange(padded.ids[real], "total -> 1 total"), padded.counts, segments)

    def split(self, x: Shaped[Tensor, "1 total *more"]) -> list[Tensor]:
        """Values at the tokens of each sequence."""
        return list(x[0].split(self.lengths.tolist()))

    def rows(self, x: Shaped[Tensor, "1 total *more"]) -> Shaped[Tensor, "batch longest *more"]:
        """Values at the tokens, one row per sequence; padding may have any value."""
        longest = int(self.lengths.max()) if len(self) else 0
        place = rearrange(self.starts, "batch -> batch 1") + torch.arange(
            longest, device=self.device
        )
        place = place.clamp(max=max(0, self.ids.shape[1] - 1))
        return x[0].index_select(0, place.flatten()).unflatten(0, place.shape)

    def joined(self, x: Shaped[Tensor, "batch longest *more"]) -> Shaped[Tensor, "1 total *more"]:
        """Values at the tokens of such rows, concatenated again."""
        place = self.owner * x.shape[1] + self.positions[0]
        return x.flatten(0, 1).index_select(0, place).unsqueeze(0)

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
        """Where each sequence starts."""
        return self.lengths.cumsum(0) - self.lengths

    @property
    def mask(self) -> Document:
        """The mask that confines every token to its own sequence."""
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
        """The position of each token in its sequence, from 0."""
        place = torch.arange(self.ids.shape[1], device=self.device)
        return rearrange(place - self.starts[self.owner], "total -> 1 total")

    @property
    def num_tokens(self) -> int:
        """Number of tokens."""
        return self.ids.numel()

    @property
    def num_cells(self) -> int:
        """Number of places: that of the tokens."""
        return self.ids.numel()

    def to(self, device: torch.device) -> "Packed":
        """The same on a device."""
        segments = _moved(self.segments, device)
        return Packed(self.ids.to(device), self.lengths.to(device), segments)

    def zero_padding(self, x: Float[Tensor, "1 total width"]) -> Float[Tensor, "1 total width"]:
        """The vectors unchanged: there is no padding."""
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


def texts(source: Tensor | Sequences | Packed) -> Sequences | Packed:
    """What a network reads, as sequences; plain ids `[batch, len]` have no padding.

    Raises `TypeError` for anything else, such as a list.
    """
    if isinstance(source, Tensor):
        return Sequences(source)
    if not isinstance(source, (Sequences, Packed)):
        raise TypeError(
            f"a network reads token ids [batch, len] as a tensor, Sequences or Packed, got "
            f"{shown(source)}; Sequences.of makes a batch of lists"
        )
    return source


def of_ids(
    method: Callable[Concatenate[Network, Any, More], Found],
) -> Callable[Concatenate[Network, Tensor | Sequences | Packed, More], Found]:
    """A method of a network, whose `source` may then be plain ids without padding, too."""

    @wraps(method)
    def read(
        self: Network,
        source: Tensor | Sequences | Packed,
        *more: More.args,
        **named: More.kwargs,
    ) -> Found:
        return method(self, texts(source), *more, **named)

    return read  # type: ignore[return-value]  # that `source` may be named, mypy cannot say


def _moved(x: Any, device: torch.device) -> Any:
    return None if x is None else x.to(device)
