"""What becomes of scores before they are weights: links that follow one another, in any order.

Each is something that loops over tiles do to a tile: a cap, or something that they add.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

CAP, BY_DISTANCE, BY_PAIR, BY_VECTORS = 1, 2, 3, 4


class Cap(NamedTuple):
    """`cap tanh(score / cap)` with a cap that is float32 `[1]` and may be learned."""

    cap: Tensor


class ByDistance(NamedTuple):
    """A bias for each distance: float32 `[B or 1, H or 1, Q + K - 1]`, from `q - k = 1 - K` on."""

    bias: Tensor


class ByPair(NamedTuple):
    """A bias for each pair: float32 `[B or 1, H or 1, Q or 1, K]`, its rows in one piece."""

    bias: Tensor


class Relative(NamedTuple):
    """What is added to scores: `factor (query · row)`, with the row of the pair's distance.

    Args:
        query: float32 `[B, H, Q, D]`, each vector in one piece.
        rows: float32 `[B or 1, H or 1, Q + K - 1, D]`, that of the last query and the first key
            first.
    """

    query: Tensor
    rows: Tensor
    factor: float


Link = Cap | ByDistance | ByPair | Relative


class Form(NamedTuple):
    """Links but for their tensors: what a recorded graph keeps as numbers."""

    kinds: list[int]
    factors: list[float]

    def filled(self, tensors: Sequence[Tensor]) -> tuple[Link, ...]:
        """The links that have these tensors, which are in their order."""
        given, links = iter(tensors), []
        for kind, factor in zip(self.kinds, self.factors, strict=True):
            links.append(_link(kind, [next(given) for _ in range(_COUNTS[kind])], factor))
        return tuple(links)


def form_of(links: Sequence[Link]) -> Form:
    """What is left of links without their tensors."""
    factors = [link.factor if isinstance(link, Relative) else 1.0 for link in links]
    return Form([_KINDS[type(link)] for link in links], factors)


def tensors_of(link: Link) -> tuple[Tensor, ...]:
    """What a link reads, and may have gradients."""
    return (link.query, link.rows) if isinstance(link, Relative) else (link[0],)


_KINDS: dict[type[Link], int] = {
    Cap: CAP, ByDistance: BY_DISTANCE, ByPair: BY_PAIR, Relative: BY_VECTORS,
}  # fmt: skip
_COUNTS = {CAP: 1, BY_DISTANCE: 1, BY_PAIR: 1, BY_VECTORS: 2}


def _link(kind: int, tensors: Sequence[Tensor], factor: float) -> Link:
    if kind == BY_VECTORS:
        return Relative(tensors[0], tensors[1], factor)
    if kind == CAP:
        return Cap(tensors[0])
    return ByDistance(tensors[0]) if kind == BY_DISTANCE else ByPair(tensors[0])
