"""Where the queries and keys of all ranks stand, and which keys a rank needs of another."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from regard._backends._structure import Reach

FEWEST, MOST_BLOCKS = 256, 8
"""Queries of a block, and blocks of a causal run: smaller ones cost more than they leave out."""

Run = tuple[int, int]
"""Neighbouring places: the first, and how many."""


@dataclass(frozen=True)
class Piece:
    """Some neighbouring keys: their first place in the sequence, and where a rank holds them."""

    place: int
    start: int
    length: int


class Meeting(NamedTuple):
    """A block of queries and the keys that they are computed with.

    Args:
        block: the places of the queries, the first of which is the rank's `row`.
        first: the place of the first key, which is `start` among those at hand, `length` in all.
    """

    block: Run
    row: int
    first: int
    start: int
    length: int


@dataclass(frozen=True)
class Layout:
    """The runs of places that each rank has, of queries and of keys."""

    rank: int
    queries: list[list[Run]]
    keys: list[list[Run]]

    @property
    def world(self) -> int:
        return len(self.keys)

    @property
    def q_len(self) -> int:
        """Queries of all ranks."""
        return sum(length for runs in self.queries for _, length in runs)

    @property
    def k_len(self) -> int:
        """Keys of all ranks."""
        return sum(length for runs in self.keys for _, length in runs)

    @property
    def first_query(self) -> int:
        """The place of the first query of all."""
        return min((place for runs in self.queries for place, length in runs if length), default=0)

    def needed(self, rank: int, owner: int, reach: Reach) -> list[Piece]:
        """The keys of `owner` that some query of `rank` may see, in the order of the owner.

        Of a window these are the few at the border of two ranks, of a causal mask none that come
        later: what no query sees is never sent.
        """
        found, held = [], 0
        for run in self.keys[owner]:
            seen = [cut(run, seen_by(query, reach)) for query in self.queries[rank]]
            seen = [each for each in seen if each[1] > 0]
            if seen:
                first = min(place for place, _ in seen)
                end = max(place + length for place, length in seen)
                found.append(Piece(first, held + first - run[0], end - first))
            held += run[1]
        return found

    def meetings(self, rank: int, pieces: list[Piece], reach: Reach) -> Iterator[Meeting]:
        """Which queries of a rank are computed with which of these keys, in the rank's order.

        Where the mask has a reach, queries are taken some at a time, so that few of the pairs that
        are computed lie outside of it.
        """
        row = 0
        for run in self.queries[rank]:
            for block in _blocks(run, reach):
                held = 0
                for piece in pieces:
                    first, length = cut((piece.place, piece.length), seen_by(block, reach))
                    if length > 0:
                        yield Meeting(block, row, first, held + first - piece.place, length)
                    held += piece.length
                row += block[1]

    def pairs(self, rank: int, owner: int, reach: Reach) -> int:
        """How many pairs a rank computes with the keys of an owner, some of them forbidden.

        >>> order = Layout(0, [[(0, 512)], [(512, 512)]], [[(0, 512)], [(512, 512)]])
        >>> [order.pairs(rank, owner, (None, 0)) // 256**2 for rank in (0, 1) for owner in (0, 1)]
        [3, 0, 4, 3]
        """
        met = self.meetings(rank, self.needed(rank, owner, reach), reach)
        return sum(each.block[1] * each.length for each in met)


def _blocks(run: Run, reach: Reach) -> Iterator[Run]:
    """A run in blocks; whole where every query may see every key."""
    place, length = run
    left, right = reach
    size = length
    if left is not None or right is not None:
        window = length if left is None or right is None else left + right
        size = max(FEWEST, min(window, -(-length // MOST_BLOCKS)))
    for start in range(0, length, max(1, size)):
        yield place + start, min(size, length - start)


def seen_by(query: Run, reach: Reach) -> tuple[int | None, int | None]:
    """The first place that some query of a run may see, and the first that none may see again."""
    left, right = reach
    place, length = query
    if length == 0:
        return 0, 0
    return (
        None if left is None else place - left,
        None if right is None else place + length + right,
    )


def cut(run: Run, ends: tuple[int | None, int | None]) -> Run:
    """What of a run lies between two places; its length is not positive where nothing does."""
    first, end = run[0], run[0] + run[1]
    if ends[0] is not None:
        first = max(first, ends[0])
    if ends[1] is not None:
        end = min(end, ends[1])
    return first, end - first


def require_tiling(spans: list[list[Run]]) -> None:
    """Raise unless every place from 0 on is one rank's, and only one's."""
    runs = sorted((start, length, rank) for rank, own in enumerate(spans) for start, length in own)
    end = 0
    for start, length, rank in runs:
        if length and start != end:
            said = "nobody's" if start > end else f"taken twice, the second time by rank {rank}"
            raise ValueError(
                f"the spans of all ranks must have each place once, but places {min(start, end)} "
                f"to {max(start, end) - 1} are {said}; zig_zag gives spans that fit."
            )
        end = start + length
