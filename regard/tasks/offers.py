"""What is offered to users: histories as tensors, and items drawn that were not chosen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.data.encoding.histories import Prefixes
from regard.tasks.padding import padded

FIRST = 2
"""The number of the first item; below it are padding and the unknown item."""
ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Offers:
    """Histories and what is offered to each: the item that was chosen, then some that were not.

    `lengths` is None where no history is padded.
    """

    history: Int[Tensor, "batch k_len"]
    lengths: Int[Tensor, " batch"] | None
    candidate: Int[Tensor, "batch n"]

    @property
    def labels(self) -> int:
        """Number of items offered."""
        return self.candidate.numel()

    @property
    def tokens(self) -> int:
        """Items read and offered."""
        read = self.history.numel() if self.lengths is None else int(self.lengths.sum())
        return read + self.candidate.numel()

    @property
    def cells(self) -> int:
        """The same with padding."""
        return self.history.numel() + self.candidate.numel()

    def to(self, device: torch.device) -> "Offers":
        """The same batch on a device."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Offers(self.history.to(device), lengths, self.candidate.to(device))


@dataclass(frozen=True, eq=False)
class Offered:
    """Examples with what is offered beside the target of each, `drawn[n]`.

    Args:
        longest: how many items of a history are read, the last ones.
    """

    examples: Prefixes
    drawn: Int[np.ndarray, "n negatives"]
    longest: int

    @property
    def lengths(self) -> np.ndarray:
        read = np.minimum(self.examples.stops - self.examples.starts, self.longest)
        return np.stack([read, np.full_like(read, 1 + self.drawn.shape[1])], axis=1)

    def batch(self, rows: np.ndarray, drawn: np.ndarray | None = None) -> Offers:
        """These examples; `drawn` says which rows of what was drawn are theirs, if not the same."""
        history = padded(self.examples.take(rows, self.longest), 0)
        beside = self.drawn[rows if drawn is None else drawn]
        candidate = np.concatenate([self.examples.targets[rows, None], beside], axis=1)
        return Offers(*history, torch.from_numpy(candidate.astype(np.int64)))


class Chosen:
    """Which items each user chose, in the training examples."""

    def __init__(self, examples: Prefixes, items: int) -> None:
        firsts = examples.stops == examples.starts + 1
        chosen = np.concatenate([examples.targets, examples.values[examples.starts[firsts]]])
        users = np.concatenate([examples.users, examples.users[firsts]])
        self._items = items
        self._pairs = np.unique(users.astype(np.int64) * items + chosen)
        self.counts = np.bincount(chosen, minlength=items)

    def others(
        self, users: np.ndarray, count: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "n count"]:
        """For each user `count` items that the user did not choose, all as likely.

        Who has chosen nearly everything may be given one of the chosen.
        """
        owners = np.repeat(users.astype(np.int64), count)
        drawn = rng.integers(FIRST, self._items, len(owners))
        for _ in range(ROUNDS):
            again = np.flatnonzero(np.isin(owners * self._items + drawn, self._pairs))
            if not len(again):
                break
            drawn[again] = rng.integers(FIRST, self._items, len(again))
        return drawn.reshape(len(users), count)


def impressions(
    target: int, held: set[int], items: int, count: int, rng: np.random.Generator
) -> list[int]:
    """Items that are neither the target nor held, `count` different ones if there are so many.

    >>> sorted(impressions(3, {2, 5}, 8, 9, np.random.default_rng(0)))
    [4, 6, 7]
    """
    size = min(items - FIRST, count + len(held) + 1)
    drawn = (rng.choice(items - FIRST, size, replace=False) + FIRST).tolist()
    return [item for item in drawn if item != target and item not in held][:count]
