"""Batches: examples as tensors, with their device and amount of padding."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from regard.data.encoding.ragged import Ragged
from regard.sequences import Packed, Sequences

Self = TypeVar("Self", bound="Batch")


@dataclass(frozen=True, eq=False)
class Batch:
    """The base of dataclasses of sequences and tensors.

    A batch defines how many targets its loss sums over (`num_targets`); tokens, with and without
    padding, are counted here over all its sequences.
    """

    @property
    def num_targets(self) -> int:
        """The number of targets that the loss sums over."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its targets are")

    @property
    def num_tokens(self) -> int:
        """The number of input and output tokens."""
        return sum(each.num_tokens for each in self._sequences())

    @property
    def num_padded_tokens(self) -> int:
        """The same including padding."""
        return sum(each.num_cells for each in self._sequences())

    def to(self: Self, device: torch.device) -> Self:
        """The same batch on a device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            on_device = isinstance(value, (Tensor, Sequences, Packed))
            moved[field.name] = value.to(device) if on_device else value
        return type(self)(**moved)

    def _sequences(self) -> list[Sequences | Packed]:
        values = (getattr(self, field.name) for field in fields(self))
        return [value for value in values if isinstance(value, (Sequences, Packed))]


def sequences_of(rows: Ragged, pad: int) -> Sequences:
    """Rows of ids as padded sequences; lengths are None if all are the same.

    >>> sequences_of(Ragged.of([[7, 8], [9]]), pad=0)
    Sequences(ids=tensor([[7, 8],
            [9, 0]]), lengths=tensor([2, 1]))
    """
    ids = torch.from_numpy(rows.padded(pad).astype(np.int64))
    lengths = rows.lengths
    if len(lengths) == 0 or bool((lengths == lengths[0]).all()):
        return Sequences(ids)
    return Sequences(ids, torch.from_numpy(lengths.astype(np.int64)))
