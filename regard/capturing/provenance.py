"""Where a tensor comes from, as far as that tells attention from other softmaxes.

Tensors are known by identity and held weakly: what is known of one goes with it.
"""

import weakref
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from regard.capturing.factors import Factors

Layout = tuple[tuple[int, ...], tuple[int, ...], int]
"""Shape, strides and the number of the storage."""


@dataclass(eq=False)
class Scores:
    """Made of a product, and of nothing since that a score is not made of.

    Args:
        of_two: of two tensors that depend on the input; else one was a parameter.
        made: axes that a parameter made, which are no places to look at, before `moves`.
        split: batch and heads, where both are one axis.
        said: words for the mechanism.
        bounded: something was done since that leaves no number below zero, such as a normalizer.
        factors: the query and the key that it is a product of, where these could be followed.
        unknown: else the step that could not.
        moves: changes of layout since, each from one to another; nearly all are never asked for.
    """

    of_two: bool
    made: frozenset[int] = frozenset()
    split: tuple[int, int] | None = None
    said: frozenset[str] = frozenset()
    moves: tuple[tuple[Layout, Layout], ...] = ()
    bounded: bool = False
    factors: Factors | None = None
    unknown: str = "score"

    @property
    def features(self) -> frozenset[int]:
        """Axes that a parameter made, in the layout that the tensor has now."""
        axes = self.made
        for before, after in self.moves:
            axes = followed(axes, before, after)
        return axes


@dataclass(eq=False)
class Told:
    """Whether a softmax has been told as attention."""

    yet: bool = False


@dataclass(frozen=True, eq=False)
class Weights:
    """A softmax's output, or made of one.

    Args:
        before: the same numbers before dropout and before they were made shorter, in the same
            layout; None is the tensor itself.
        axis: over which it was normalized, where that is still known.
        given: the scores that were normalized, and how often these had been changed in place.
        unknown: the step of the arithmetic that could not be followed since.
    """

    scores: Scores | None
    normalizer: str
    axis: int | None
    before: Tensor | None = None
    given: tuple[Tensor, int] | None = None
    unknown: str = ""
    told: Told = field(default_factory=Told)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Weights times values, not summed yet; `weights` has its axes aligned from the right."""

    node: Weights
    weights: Tensor
    values: Tensor


@dataclass(frozen=True, eq=False)
class Folded:
    """Batch and heads as one axis."""

    split: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Packed:
    """One query whose heads were made rows: those that share a key head stand together."""

    heads: int


@dataclass(frozen=True, eq=False)
class OfParameters:
    """A parameter in another layout or type."""


Node = Scores | Weights | Weighted | Folded | Packed | OfParameters


class _Ref(weakref.ref[Tensor]):
    __slots__ = ("key",)
    key: int


class Known:
    """Tensors and what is known of them."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[_Ref, Node]] = {}

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def of(self, tensor: Any) -> Node | None:
        found = self._nodes.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def note(self, tensor: Tensor, node: Node) -> None:
        reference = _Ref(tensor, self._gone)
        reference.key = id(tensor)
        self._nodes[id(tensor)] = reference, node

    def forget(self, tensor: Tensor) -> None:
        self._nodes.pop(id(tensor), None)

    def clear(self) -> None:
        self._nodes.clear()

    def _gone(self, reference: Any) -> None:
        found = self._nodes.get(reference.key)
        if found is not None and found[0] is reference:
            del self._nodes[reference.key]


def layout_of(tensor: Tensor) -> Layout:
    """How a tensor lies in memory."""
    return tensor.shape, tensor.stride(), tensor.untyped_storage()._cdata


def followed(axes: frozenset[int], before: Layout, after: Layout) -> frozenset[int]:
    """Where axes are after a change of layout, found by their sizes and strides.

    Where an axis was split or joined, all that follow the first difference count.
    """
    (old, old_strides, old_storage), (new, strides, storage) = before, after
    found: set[int] = set()
    for axis in axes:
        size = old[axis]
        if size == 1:
            continue
        same = [
            place
            for place, pair in enumerate(zip(new, strides, strict=True))
            if pair == (size, old_strides[axis])
        ]
        if storage == old_storage and len(same) == 1:
            found.add(same[0])
        elif new == old:
            found.add(axis)
        else:
            equal = 0
            while equal < min(len(new), axis) and new[equal] == old[equal]:
                equal += 1
            found |= {place for place in range(equal, len(new)) if new[place] > 1}
    return frozenset(found)
