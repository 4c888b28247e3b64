"""The result of every explanation: numbers with named axes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from regard._nearest import nearest


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A tensor with named axes: `layer`, `batch`, `head`, `query`, `key` and so on.

    Args:
        values: the numbers.
        axes: a name for each dimension.

    Raises:
        ValueError: another number of names than of dimensions.

    Example:
        >>> found = Explanation(torch.eye(2)[None], ("batch", "query", "key"))
        >>> found
        Explanation(batch=1, query=2, key=2)
        >>> found.at(batch=0, query=1).values
        tensor([0., 1.])
    """

    values: Tensor
    axes: tuple[str, ...]

    def __post_init__(self) -> None:
        _require_names(self.values, self.axes)

    def at(self, **places: int) -> "Explanation":
        """The values at these indices, without their axes; `ValueError` for an unknown axis."""
        found, axes = self.values, list(self.axes)
        for name, place in places.items():
            found = found.select(_place_of(name, axes), place)
            axes.remove(name)
        return Explanation(found, tuple(axes))

    def mean(self, *names: str) -> "Explanation":
        """The mean over these axes; `ValueError` for an unknown axis."""
        dims = [_place_of(name, self.axes) for name in names]
        kept = tuple(axis for axis in self.axes if axis not in names)
        return Explanation(self.values.mean(dims), kept)

    def __repr__(self) -> str:
        return f"Explanation({_sizes(self.axes, self.values)})"


@dataclass(frozen=True, eq=False, repr=False)
class ByLayer:
    """An explanation per layer; layers may differ in their numbers of heads and tokens.

    Args:
        values: one tensor per layer, the first layer first.
        axes: the names of the axes of each.

    Raises:
        ValueError: another number of names than of dimensions.

    Example:
        >>> found = ByLayer((torch.ones(1, 2, 3), torch.ones(1, 4, 3)), ("batch", "head", "query"))
        >>> found[1]
        Explanation(batch=1, head=4, query=3)
        >>> found.mean("query", "head").stacked()
        Explanation(layer=2, batch=1)
    """

    values: tuple[Tensor, ...]
    axes: tuple[str, ...]

    def __post_init__(self) -> None:
        for layer in self.values:
            _require_names(layer, self.axes)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, layer: int) -> Explanation:
        return Explanation(self.values[layer], self.axes)

    def __iter__(self) -> Iterator[Explanation]:
        return (self[layer] for layer in range(len(self)))

    def mean(self, *names: str) -> "ByLayer":
        """The mean over these axes of each layer; `ValueError` for an unknown axis."""
        means = [layer.mean(*names) for layer in self]
        kept = tuple(axis for axis in self.axes if axis not in names)
        return ByLayer(tuple(each.values for each in means), kept)

    def stacked(self) -> Explanation:
        """One tensor with `layer` as its first axis; `ValueError` if layers differ in size."""
        for number, layer in enumerate(self.values):
            if layer.shape != self.values[0].shape:
                raise ValueError(
                    f"layers of different sizes have no common tensor: layer 0 has "
                    f"{_sizes(self.axes, self.values[0])}, layer {number} "
                    f"{_sizes(self.axes, layer)}; take them one by one, or their mean over an axis."
                )
        return Explanation(torch.stack(self.values), ("layer", *self.axes))

    def __repr__(self) -> str:
        return f"ByLayer({len(self)} layers of {', '.join(self.axes)})"


def _require_names(values: Tensor, axes: tuple[str, ...]) -> None:
    if values.ndim != len(axes):
        raise ValueError(
            f"{len(axes)} names {axes} do not fit a tensor of {values.ndim} dimensions, "
            f"{[*values.shape]}; name each of them once."
        )


def _place_of(name: str, axes: tuple[str, ...] | list[str]) -> int:
    if name not in axes:
        raise ValueError(f"there is no axis {name!r}: {nearest(name, axes)}.")
    return axes.index(name)


def _sizes(axes: tuple[str, ...], values: Tensor) -> str:
    return ", ".join(f"{axis}={size}" for axis, size in zip(axes, values.shape, strict=True))
