"""How much of each captured map a page can carry, and in which form.

All weights where they fit. Else query and key, from which the page computes any row: for 512 tokens
they take half of what the weights take. Where these do not fit for all layers, they are carried for
some, and of the others an overview and the largest weights of each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from regard.view.codes import FINEST, LEVELS

LONGEST_FULL = 1024
"""Up to here a page draws every weight; beyond it draws an overview until it is zoomed."""
MOST_ROWS_KEPT, MOST_ROWS_SEEN = 4096, 1024
"""Rows of which the largest weights are kept, and rows of which an overview is made."""
BYTES_UP_TO = {512: 12 * 10**6, 8192: 48 * 10**6}
MOST_BYTES = 80 * 10**6
"""Greatest numbers of bytes of a page, of inputs up to so many tokens, and beyond."""
PAGE_ITSELF = 150_000
"""Bytes of a page without its blocks."""
AS_TEXT = 16 / 13
OVERVIEW_BITS = 3.0
"""What a number of an overview takes, about."""


@dataclass(frozen=True)
class Storage:
    """What a page shall carry, where it cannot carry all.

    Args:
        max_bytes: of the whole file, pictures of all heads apart, which are always there; None is
            12 MB up to 512 tokens, 48 MB up to 8192, then 80.
        layers: which layers come first, for query and key; None is from the first one on.
    """

    max_bytes: int | None = None
    layers: Sequence[int] | None = None


@dataclass(frozen=True)
class Size:
    """What a map would take.

    Args:
        pairs: its weights, of all heads.
        longest: its queries or keys, whichever are more.
        heads: how many.
        bits: what a weight takes in each of `LEVELS`.
        vectors: numbers of query and key; 0 where there are none.
        values: numbers of the values.
        by_dots: all weights follow from query and key by a softmax of dot products.
    """

    pairs: int
    longest: int
    heads: int
    bits: tuple[float, ...]
    vectors: int = 0
    values: int = 0
    by_dots: bool = False

    def coded(self, levels: int) -> float:
        """Bytes of all weights."""
        return self.pairs * self.bits[LEVELS.index(levels)] / 8 * AS_TEXT

    def parts(self, bits: int) -> float:
        """Bytes of query and key, with what each row needs beside them."""
        return (self.vectors * (1.95 if bits == 16 else 0.93) + 8 * self.rows) * AS_TEXT

    @property
    def rows(self) -> int:
        """Queries of all heads."""
        return self.pairs // max(1, self.longest)

    @property
    def thumb(self) -> float:
        """Bytes of the small picture of a map whose weights are computed."""
        side = 32 * 32 if self.longest <= LONGEST_FULL else 2 * 128 * 128
        return self.heads * side * OVERVIEW_BITS / 8 * AS_TEXT

    @property
    def overview(self) -> float:
        """Bytes of the picture of a map of which not every weight is known."""
        return self.heads * 2 * 128 * 128 * OVERVIEW_BITS / 8 * AS_TEXT


@dataclass(frozen=True)
class Tier:
    """How a map is carried.

    Args:
        weights: "coded", all of them; "computed", from query and key; "overview" with `kept` of
            the largest in each row.
        levels: of the codes.
        bits: of query and key, 0 where they are left out.
        values: the values are carried, too.
    """

    weights: Literal["coded", "computed", "overview"]
    levels: int = FINEST
    bits: int = 0
    values: bool = False
    kept: int = 0


def tiers(sizes: Sequence[Size], storage: Storage = Storage()) -> list[Tier]:
    """How each map is carried.

    >>> bits = (4.0, 3.0, 2.0, 1.0)
    >>> [tiers([Size(n * n * 12, n, 12, bits, 2 * n * 12 * 64, by_dots=True)] * 12)[0].weights
    ...  for n in (128, 512, 4096)]
    ['coded', 'computed', 'computed']

    Raises `ValueError` for a layer that is not there.
    """
    order = _order(len(sizes), storage)
    longest = max((size.longest for size in sizes), default=0)
    usual = next((most for end, most in BYTES_UP_TO.items() if longest <= end), MOST_BYTES)
    room = (usual if storage.max_bytes is None else storage.max_bytes) - PAGE_ITSELF
    whole = sum(size.coded(FINEST) for size in sizes)
    if longest <= LONGEST_FULL and whole <= room:
        return _all_coded(sizes, order, room - whole)
    return _mostly_computed(sizes, order, room)


def _order(count: int, storage: Storage) -> list[int]:
    """The layers that come first, and the others in theirs."""
    chosen = [] if storage.layers is None else list(storage.layers)
    for layer in chosen:
        if not -count <= layer < count:
            raise ValueError(
                f"there is no layer {layer}: {count} maps were captured, numbered 0 to {count - 1}"
            )
    return list(dict.fromkeys([*(layer % count for layer in chosen), *range(count)]))


def _all_coded(sizes: Sequence[Size], order: Sequence[int], room: float) -> list[Tier]:
    """All weights, and the parts of as many layers as there is room for."""
    found = [Tier("coded") for _ in sizes]
    for number in order:
        size = sizes[number]
        parts = size.parts(16)
        values = size.values * 1.95 * AS_TEXT
        if size.vectors and parts <= room:
            with_values = parts + values <= room
            found[number] = Tier("coded", bits=16, values=with_values)
            room -= parts + (values if with_values else 0)
    return found


def _mostly_computed(sizes: Sequence[Size], order: Sequence[int], room: float) -> list[Tier]:
    """Query and key where weights follow from them, the others as finely as there is room for."""
    found: dict[int, Tier] = {}
    # Every map has a picture at least; one that is computed needs a smaller one.
    room -= sum(size.overview for size in sizes)
    for number in (number for number in order if sizes[number].by_dots):
        size = sizes[number]
        taken = size.parts(8) + size.thumb - size.overview
        if taken <= room:
            found[number] = Tier("computed", bits=8)
            room -= taken
    for number in list(found) if len(found) == len(sizes) else []:
        finer = sizes[number].parts(16) - sizes[number].parts(8)
        if finer <= room:
            found[number] = Tier("computed", bits=16)
            room -= finer
    rest = [number for number in order if number not in found]
    short = [number for number in rest if sizes[number].longest <= LONGEST_FULL]
    for levels in LEVELS:
        total = sum(sizes[n].coded(levels) - sizes[n].overview for n in short)
        if short and total <= room:
            found |= {number: Tier("coded", levels=levels) for number in short}
            room -= total
            break
    for number in rest:
        if number not in found:
            kept, room = _kept(sizes[number], room)
            found[number] = Tier("overview", kept=kept)
    return [found[number] for number in range(len(sizes))]


def _kept(size: Size, room: float) -> tuple[int, float]:
    """How many of the largest weights of each row, and what room they leave."""
    rows = min(size.rows, size.heads * MOST_ROWS_KEPT)
    for kept in (32, 16, 8):
        taken = rows * kept * 2.7 * AS_TEXT
        if taken <= room:
            return kept, room - taken
    return 0, room
