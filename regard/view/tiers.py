"""How much of each captured map a page can carry."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_WEIGHTS = 40_000_000
"""Weights that a page carries as full matrices: 12 layers of 12 heads of 512 tokens."""
LONGEST_FULL = 1024
LONGEST_EXACT_OVERVIEW = 8192
"""Above this an overview is made of some rows, evenly spread."""
SHORT_PAGE, LONG_PAGE = 12 * 10**6, 48 * 10**6
"""Greatest numbers of bytes of a page, of inputs up to `LONGEST_FULL` tokens and beyond."""


@dataclass(frozen=True)
class Storage:
    """What a page shall carry, where it cannot carry all.

    Args:
        max_bytes: of the whole file; None is 12 MB, and 48 MB from 1025 tokens on.
        layers: which layers come first, for full matrices and for query and key; None is from the
            first one on.
    """

    max_bytes: int | None = None
    layers: Sequence[int] | None = None


@dataclass(frozen=True)
class Tiers:
    """Which layers are stored how, by their numbers."""

    full: tuple[int, ...]
    order: tuple[int, ...]
    max_bytes: int


def tiers(shapes: Sequence[tuple[int, int, int]], storage: Storage) -> Tiers:
    """Full matrices for as many layers as there is room for; `shapes` are heads, queries, keys.

    >>> tiers([(12, 512, 512)] * 12, Storage()).full == tuple(range(12))
    True
    >>> tiers([(12, 1024, 1024)] * 12, Storage(layers=[5])).full
    (0, 1, 5)
    >>> tiers([(12, 4096, 4096)], Storage()).full
    ()

    Raises `ValueError` for a layer that is not there.
    """
    count = len(shapes)
    chosen = [] if storage.layers is None else list(storage.layers)
    for layer in chosen:
        if not -count <= layer < count:
            raise ValueError(
                f"there is no layer {layer}: {count} maps were captured, numbered 0 to {count - 1}"
            )
    order = tuple(dict.fromkeys([*(layer % count for layer in chosen), *range(count)]))
    full, used = [], 0
    for layer in order:
        heads, rows, columns = shapes[layer]
        size = heads * rows * columns
        if max(rows, columns) <= LONGEST_FULL and used + size <= MOST_WEIGHTS:
            full.append(layer)
            used += size
    longest = max((max(shape[1:]) for shape in shapes), default=0)
    usual = SHORT_PAGE if longest <= LONGEST_FULL else LONG_PAGE
    most = usual if storage.max_bytes is None else storage.max_bytes
    return Tiers(tuple(sorted(full)), order, most)
