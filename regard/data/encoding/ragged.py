"""Ragged: many sequences of different lengths in one flat array."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequence `i` is `values[offsets[i] : offsets[i + 1]]`.

    >>> rows = Ragged.of([[1, 2], [], [3]])
    >>> rows.take(np.array([2, 0, 0])).padded(pad=9)
    array([[3, 9],
           [1, 2],
           [1, 2]])
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[list[int]]) -> "Ragged":
        """Pack these sequences."""
        rows = list(rows)
        offsets = np.cumsum([0] + [len(row) for row in rows])
        return cls(np.array([number for row in rows for number in row], dtype=np.int64), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The length of each sequence."""
        return np.diff(self.offsets)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The sequences themselves, one after the other."""
        return (self.values[start:stop] for start, stop in pairwise(self.offsets))

    def take(self, rows: np.ndarray) -> "Ragged":
        """These sequences, in this order; a sequence may occur any number of times."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Ragged(self.values[np.arange(offsets[-1]) + shift], offsets)

    def cut(self, length: int, kept: int = 0) -> "Ragged":
        """Truncate every sequence to `length` numbers: its first ones, and its `kept` last.

        >>> Ragged.of([[1, 2, 3, 9], [4, 9]]).cut(3, kept=1).values
        array([1, 2, 9, 4, 9])
        """
        lengths = np.minimum(self.lengths, length)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        left_out = np.repeat(self.lengths - lengths, lengths)
        place += np.where(place < np.repeat(lengths - kept, lengths), 0, left_out)
        return Ragged(self.values[place + np.repeat(self.offsets[:-1], lengths)], offsets)

    def joined(self, count: int) -> "Ragged":
        """Concatenate every `count` consecutive sequences."""
        if len(self) % count:
            raise ValueError(f"{len(self)} sequences cannot be joined by {count}")
        return Ragged(self.values, self.offsets[::count])

    def padded(self, pad: int) -> np.ndarray:
        """One matrix, as wide as the longest sequence, right-padded with `pad`."""
        lengths = self.lengths
        width = int(lengths.max(initial=0))
        matrix = np.full((len(self), width), pad, dtype=self.values.dtype)
        matrix[np.arange(width) < lengths[:, None]] = self.values
        return matrix
