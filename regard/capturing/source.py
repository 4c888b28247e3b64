"""Where the weights of a call come from: what is kept of it, and how it answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from regard.capturing.parts import Parts

Index = Tensor | None
"""Which heads or rows, as whole numbers; None is all of them."""

Shape = tuple[int, int, int, int]


@runtime_checkable
class Source(Protocol):
    """A frozen dataclass of what one call needs to be weighed again; its tensors are its fields."""

    @property
    def shape(self) -> Shape:
        """`batch, heads, q_len, k_len`."""

    @property
    def is_cheap(self) -> bool:
        """Whether some rows cost next to nothing beside the call itself."""

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        """`[batch or 1, heads, rows, k_len]`, before dropout, in at least float32."""

    def parts(self, item: int) -> Parts | None:
        """What one item was computed from; None where that is not known."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One attention as it was seen: where its weights come from, and what is known of it.

    Args:
        kind: "self", "cross", "pool", "gate", or "" where only the names can tell.
        child: behind the name of the module that called, where that stands for one of its own.
        output: what the call gave, for the gradient of its weights.
        of_output: turns the gradient of the output into that of `weights @ value`.
    """

    source: Source
    mechanism: dict[str, str]
    provenance: str
    kind: str = ""
    child: str = ""
    output: Tensor | None = None
    of_output: Callable[[Tensor], Tensor] | None = None
    owner: object = None
    extra: dict[str, Any] = field(default_factory=dict)


FEW = 64
"""Indices of which it is looked whether they follow each other, so that nothing is copied."""


def tensors_in(source: Any) -> Iterator[Tensor]:
    """The tensors in the fields of a source, and in fields that are tuples."""
    for each in fields(source):
        value = getattr(source, each.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Tensor):
                yield one


def with_tensors(source: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same source with its tensors changed, in the order of `tensors_in`."""
    changes: dict[str, Any] = {}
    for each in fields(source):
        value = getattr(source, each.name)
        if isinstance(value, Tensor):
            changes[each.name] = change(value)
        elif isinstance(value, tuple) and any(isinstance(one, Tensor) for one in value):
            changes[each.name] = tuple(
                change(one) if isinstance(one, Tensor) else one for one in value
            )
    return replace(source, **changes)


def picked(tensor: Tensor, axis: int, index: Index) -> Tensor:
    """Some entries along an axis; all where that axis is one for all."""
    if index is None or tensor.shape[axis] == 1:
        return tensor
    if index.device.type == "cpu" and 0 < (count := len(index)) <= FEW:
        numbers = index.tolist()
        if numbers == list(range(numbers[0], numbers[0] + count)):
            return tensor.narrow(axis, numbers[0], count)
    return tensor.index_select(axis, index.to(tensor.device))


def one_item(tensor: Tensor, item: int | None) -> Tensor:
    """One entry of the batch, its axis kept; all for None, or where it is one for all."""
    if item is None or tensor.shape[0] == 1:
        return tensor
    return tensor[item : item + 1]


def in_four(tensor: Tensor) -> Tensor:
    """A tensor of pairs or of heads with four axes; more of them in front are all the batch.

    Three axes are a batch of one head.
    """
    if tensor.ndim == 2:
        return tensor[None, None]
    if tensor.ndim == 3:
        return tensor[:, None]
    return tensor if tensor.ndim == 4 else tensor.flatten(0, tensor.ndim - 4)


def all_of(length: int, device: torch.device, index: Index) -> Tensor:
    """The numbers along an axis: some, or all."""
    return torch.arange(length, device=device) if index is None else index.to(device)
