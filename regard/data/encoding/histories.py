"""Interactions as histories: what each user chose, in the order of time, and what came next."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from regard.data.encoding.catalogue import UNKNOWN_ITEM, Catalogue
from regard.data.encoding.ragged import Ragged
from regard.data.reading.spelled import parse_number, parse_time, require_name


@dataclass(frozen=True, eq=False)
class Histories:
    """Sequence `u` is what user `users[u]` chose, item numbers of the catalogue, oldest first."""

    users: tuple[str, ...]
    catalogue: Catalogue
    sequences: Ragged

    @property
    def counts(self) -> Int[np.ndarray, " items"]:
        """How often each item was chosen."""
        return np.bincount(self.sequences.values, minlength=len(self.catalogue))


def histories(
    rows: Iterable[tuple[str, ...]],
    *,
    catalogue: Catalogue | None = None,
    least: float | None = None,
    where: Callable[[int], str] = "row {}".format,
) -> Histories:
    """Sort interactions `(user, item, rating, timestamp, *features)` by user and time.

    Rating and timestamp may be empty: without a rating all interactions count alike, and where the
    first row has no timestamp the order of the rows is that of time. Rows of the same time stay in
    their order. A user who chose an item twice chose it twice; only rows that agree in user, item
    and timestamp count once. The features of an item are those of its last row that has some.

    Args:
        catalogue: read the items by it; one that is not in it becomes `<unk>`. None makes one.
        least: leave out what is rated lower.
        where: names the row of a number, from 1, in errors.

    Raises `ValueError` naming the row for an empty user or item, a rating that is not a number and
    a time that cannot be read, and when nothing is left.

    >>> found = histories([("ann", "tea", "5", "20"), ("ann", "bread", "4", "10")])
    >>> found.users, [row.tolist() for row in found.sequences]
    (('ann',), [[2, 3]])
    >>> found.catalogue.decode([2, 3])
    ['bread', 'tea']
    """
    events: dict[str, list[tuple[float, str]]] = {}
    features: dict[str, tuple[str, ...]] = {}
    timed, number = False, 0
    for number, (user, item, rating, timestamp, *more) in enumerate(rows, 1):
        timed = bool(timestamp.strip()) if number == 1 else timed
        place = where(number)
        require_name(user, "user", place)
        require_name(item, "item", place)
        user, item = user.strip(), item.strip()
        rated = parse_number(rating, "rating", place) if rating.strip() else None
        if rated is not None and least is not None and rated < least:
            continue
        time = parse_time(timestamp, "timestamp", place) if timed else float(number)
        events.setdefault(user, []).append((time, item))
        if any(more) or item not in features:
            features[item] = tuple(more)
    if not events:
        why = f"none of {number:,} is rated {least} or better" if number else "there is no row"
        raise ValueError(f"no interaction is left: {why}")
    ordered = {user: _in_order(chosen) for user, chosen in events.items()}
    if catalogue is None:
        counts = Counter(item for chosen in ordered.values() for item in chosen)
        catalogue = Catalogue.build(counts, features)
    encoded = Ragged.of(catalogue.encode(chosen) for chosen in ordered.values())
    return Histories(tuple(ordered), catalogue, encoded)


def _in_order(events: list[tuple[float, str]]) -> list[str]:
    """The items by time; sorting is stable, and what is twice the same counts once."""
    return [item for _, item in sorted(dict.fromkeys(events), key=lambda event: event[0])]


@dataclass(frozen=True, eq=False)
class Prefixes:
    """Examples cut out of sequences: `values[starts[n] : stops[n]]`, and `targets[n]` came next."""

    values: Int[np.ndarray, " events"]
    starts: Int[np.ndarray, " n"]
    stops: Int[np.ndarray, " n"]
    targets: Int[np.ndarray, " n"]
    users: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> Int[np.ndarray, "n 1"]:
        """How long each history is."""
        return (self.stops - self.starts)[:, None]

    def take(self, rows: np.ndarray, longest: int | None = None) -> Ragged:
        """The histories of these examples, or the last `longest` items of each."""
        starts, stops = self.starts[rows], self.stops[rows]
        if longest is not None:
            starts = np.maximum(starts, stops - longest)
        lengths = stops - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(starts - offsets[:-1], lengths)
        return Ragged(self.values[np.arange(offsets[-1]) + shift], offsets)


def leave_one_out(found: Histories) -> dict[str, Prefixes]:
    """The last item of each user for `test`, the one before for `valid`, all others for `train`.

    Whoever chose fewer than three items is in `train` alone. A user's first item is no example, for
    nothing is known before it.

    >>> rows = [("ann", item, "", "") for item in "abcde"]
    >>> {split: len(part) for split, part in leave_one_out(histories(rows)).items()}
    {'train': 2, 'valid': 1, 'test': 1}
    """
    offsets, lengths = found.sequences.offsets, found.sequences.lengths
    asked = np.flatnonzero(lengths >= 3)
    kept = lengths - np.where(lengths >= 3, 2, 0)
    count = np.maximum(kept - 1, 0)
    users = np.repeat(np.arange(len(lengths)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    train = _prefixes(found, users, offsets[users] + within + 1)
    ends = offsets[1:][asked]
    return {
        "train": train,
        "valid": _prefixes(found, asked, ends - 2),
        "test": _prefixes(found, asked, ends - 1),
    }


def all_prefixes(found: Histories) -> Prefixes:
    """Every item but a user's first, each with what came before it."""
    users = np.repeat(np.arange(len(found.users)), np.maximum(found.sequences.lengths - 1, 0))
    places = np.setdiff1d(np.arange(len(found.sequences.values)), found.sequences.offsets[:-1])
    return _prefixes(found, users, places)


def last_items(found: Histories, *before: Histories) -> Prefixes:
    """The last item of each user, after what `before` and these histories tell of the same user.

    With an item alone the history is empty. Unknown items are left out of it.
    """
    earlier: dict[str, list[int]] = {}
    for histories_before in before:
        for user, past in zip(histories_before.users, histories_before.sequences, strict=True):
            earlier.setdefault(user, []).extend(past.tolist())
    rows = zip(found.users, found.sequences, strict=True)
    joined = Ragged.of(
        [*(item for item in [*earlier.get(user, ()), *past] if item != UNKNOWN_ITEM), wanted]
        for user, (*past, wanted) in rows
    )
    whole = Histories(found.users, found.catalogue, joined)
    return _prefixes(whole, np.arange(len(found.users)), joined.offsets[1:] - 1)


def _prefixes(found: Histories, users: np.ndarray, places: np.ndarray) -> Prefixes:
    """The items at these places of the flat array, each after what its user chose before."""
    values, offsets = found.sequences.values, found.sequences.offsets
    return Prefixes(values, offsets[users], places, values[places], users)
