"""What is offered to users beside the items that they chose: items drawn that they did not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from regard.data.encoding.histories import Prefixes
from regard.tasks.recommend.coder import ItemCoder, Offers

ROUNDS = 20
"""How often an item is drawn anew that its user did choose."""


@dataclass(frozen=True, eq=False)
class Offered:
    """The examples of an epoch with what is offered beside the target of each, `drawn[n]`."""

    coder: ItemCoder
    examples: Prefixes
    drawn: Int[np.ndarray, "n negatives"]

    @property
    def lengths(self) -> np.ndarray:
        """Items read and offered, `[n 2]`."""
        read = np.minimum(self.examples.lengths[:, 0], self.coder.longest)
        return np.stack([read, np.full_like(read, 1 + self.drawn.shape[1])], axis=1)

    def batch(self, rows: np.ndarray) -> Offers:
        """These examples."""
        return self.coder.collate(self.examples, rows, self.drawn[rows])


class ChosenItems:
    """Which items each user chose, in the training examples.

    Args:
        items: how many numbers there are, the first of them, below `first_item`, for no item.
    """

    def __init__(self, examples: Prefixes, items: int, first_item: int) -> None:
        firsts = examples.stops == examples.starts + 1
        chosen = np.concatenate([examples.targets, examples.values[examples.starts[firsts]]])
        users = np.concatenate([examples.users, examples.users[firsts]])
        self._items, self._first = items, first_item
        self._pairs = np.unique(users.astype(np.int64) * items + chosen)
        self.counts = np.bincount(chosen, minlength=items)

    def others(
        self, users: np.ndarray, count: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "n count"]:
        """For each user `count` items that the user did not choose, all as likely.

        Who has chosen nearly everything may be given one of the chosen.
        """
        owners = np.repeat(users.astype(np.int64), count)
        drawn = rng.integers(self._first, self._items, len(owners))
        for _ in range(ROUNDS):
            again = np.flatnonzero(np.isin(owners * self._items + drawn, self._pairs))
            if not len(again):
                break
            drawn[again] = rng.integers(self._first, self._items, len(again))
        return drawn.reshape(len(users), count)


def impressions(
    target: int, held: set[int], items: range, count: int, rng: np.random.Generator
) -> list[int]:
    """Items that are neither the target nor held, `count` different ones if there are so many.

    >>> sorted(impressions(3, {2, 5}, range(2, 8), 9, np.random.default_rng(0)))
    [4, 6, 7]
    """
    size = min(len(items), count + len(held) + 1)
    drawn = (rng.choice(len(items), size, replace=False) + items.start).tolist()
    return [item for item in drawn if item != target and item not in held][:count]
