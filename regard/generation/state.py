"""Selecting rows of a decoder's state, for any state made of tensors."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from einops import rearrange
from jaxtyping import Int
from torch import Tensor

from regard.layers.cache import BY_SOURCE

State = TypeVar("State")


def along(axis: int) -> dict[str, int]:
    """Metadata of a field whose rows are along this axis instead of the first.

    A dataclass in such a field has its rows there, too.
    """
    return {"axis": axis}


def take(
    state: State, rows: Int[Tensor, " rows"], sources: Int[Tensor, " some"] | None = None
) -> State:
    """The state of these rows: of every tensor in a dataclass, in tuples, or with a `reorder`.

    Args:
        rows: of tensors with one row per beam.
        sources: of tensors with one row per source (`BY_SOURCE` of `regard.layers.cache`); None
            leaves them unchanged.

    >>> from dataclasses import dataclass, field
    >>> @dataclass(frozen=True)
    ... class Example:
    ...     hidden: Tensor = field(metadata=along(1))
    ...     keys: Tensor = field(metadata=BY_SOURCE)
    ...     position: int = 3
    >>> state = Example(torch.arange(4).reshape(1, 4), torch.tensor([5, 6]))
    >>> take(state, torch.tensor([3, 3]), torch.tensor([1]))
    Example(hidden=tensor([[3, 3]]), keys=tensor([6]), position=3)
    """
    return _taken(state, rows, sources, 0)


def count_rows(state: Any) -> int:
    """The number of rows of the first tensor of a state or of an encoded source.

    Raises `ValueError` when there is no tensor in it.

    >>> count_rows((None, torch.zeros(3, 2)))
    3
    """
    tensor, axis = _first_tensor(state)
    return tensor.shape[axis]


def device_of_state(state: Any) -> torch.device:
    """The device of the first tensor of a state or of an encoded source."""
    return _first_tensor(state)[0].device


def rows_of_beams(parent: Int[Tensor, "batch chosen"], beams: int) -> Int[Tensor, " rows"]:
    """The rows of the beams `parent`, counted within each source, of `beams` in all.

    >>> rows_of_beams(torch.tensor([[1, 1], [0, 2]]), beams=3)
    tensor([1, 1, 3, 5])
    """
    first = rearrange(torch.arange(len(parent), device=parent.device) * beams, "batch -> batch 1")
    return rearrange(parent + first, "batch beams -> (batch beams)")


def rows_of_sources(sources: Int[Tensor, " some"], beams: int) -> Int[Tensor, " rows"]:
    """The rows of all beams of these sources.

    >>> rows_of_sources(torch.tensor([0, 2]), beams=2)
    tensor([0, 1, 4, 5])
    """
    beam = torch.arange(beams, device=sources.device)
    first = rearrange(sources * beams, "some -> some 1")
    return rearrange(first + beam, "some beams -> (some beams)")


def _taken(value: Any, rows: Tensor | None, sources: Tensor | None, axis: int) -> Any:
    if isinstance(value, Tensor):
        return value if rows is None else value.index_select(axis, rows)
    if isinstance(value, (tuple, list)):
        return type(value)(_taken(each, rows, sources, axis) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for field in fields(value):
            chosen = sources if field.metadata.get("by") == BY_SOURCE["by"] else rows
            held = getattr(value, field.name)
            changed[field.name] = _taken(held, chosen, sources, field.metadata.get("axis", axis))
        return replace(value, **changed)
    if hasattr(value, "reorder") and not isinstance(value, type):
        return value if rows is None else value.reorder(rows)
    return value


def _first_tensor(state: Any) -> tuple[Tensor, int]:
    """A tensor and the axis that its rows lie along."""
    found = next(_tensors(state, 0), None)
    if found is None:
        raise ValueError(
            f"{type(state).__name__} holds no tensor, so nobody knows how many rows it has: make "
            "it a tensor, a tuple or a dataclass of tensors"
        )
    return found


def _tensors(value: Any, axis: int) -> Iterator[tuple[Tensor, int]]:
    if isinstance(value, Tensor):
        yield value, axis
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each, axis)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name), field.metadata.get("axis", axis))
