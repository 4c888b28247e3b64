"""Generated users with several interests: the right place to look in a history is known."""

from collections.abc import Iterator

import numpy as np

from regard.data.schema import SPLITS

TOPICS = (
    "jazz chess bread tea hiking poetry robots cinema gardens sailing opera comics cycling maps "
    "birds pottery climbing magic trains stars wine knitting coins tennis"
).split()
ITEMS_PER_TOPIC = 12
INTERESTS = (2, 4)
EVENTS = (8, 24)


def topic_of(item: str) -> str:
    """The interest that an item belongs to.

    >>> topic_of("jazz-07")
    'jazz'
    """
    return item.rpartition("-")[0]


def interaction_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """The first `count` interactions `(user, item, rating, timestamp)` of a split, user by user.

    A user has two to four interests out of two dozen, and chooses 8 to 24 items, each from one of
    them drawn anew, the first of a topic oftener than the last. So what comes next is told by the
    few items of the same topic somewhere in the history, not by the mixture, and not by its end.
    The users of different splits are different people, the items are the same.

    Raises `ValueError` for another split or a negative count.

    >>> for row in interaction_rows("train", 2, seed=0):
    ...     print(row)
    ('train-0', 'maps-11', '5', '1000000000')
    ('train-0', 'cinema-08', '5', '1000003600')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    user, left = 0, count
    while left > 0:
        some = list(_choices(split, user, seed))[:left]
        yield from some
        user, left = user + 1, left - len(some)


def _choices(split: str, user: int, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """What one user chose."""
    rng = np.random.default_rng([seed, SPLITS.index(split), user])
    interests = rng.choice(len(TOPICS), rng.integers(INTERESTS[0], INTERESTS[1] + 1), replace=False)
    popularity = 1.0 / np.arange(1, ITEMS_PER_TOPIC + 1) ** 0.5
    for place in range(rng.integers(EVENTS[0], EVENTS[1] + 1)):
        topic = TOPICS[rng.choice(interests)]
        number = rng.choice(ITEMS_PER_TOPIC, p=popularity / popularity.sum())
        time = 1_000_000_000 + 3600 * place
        yield f"{split}-{user}", f"{topic}-{number + 1:02}", "5", str(time)
