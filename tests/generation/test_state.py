"""Rows of a state are taken from every tensor in it, along the axis that it says."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.generation.state import (
    BY_SOURCE,
    along,
    count_rows,
    device_of_state,
    rows_of_beams,
    rows_of_sources,
    take,
)
from regard.layers import KVCache
from regard.masks import Padding


@dataclass(frozen=True, eq=False)
class Memory:
    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True, eq=False)
class State:
    memory: Memory = field(metadata=along(1))
    found: Tensor
    keys: Memory = field(metadata=BY_SOURCE)
    mask: Padding | None = field(metadata=BY_SOURCE)
    position: int = 0


def state(rows: int = 4, sources: int = 2) -> State:
    layers = torch.arange(3 * rows).reshape(3, rows)
    keys = torch.arange(sources * 5).reshape(sources, 5)
    lengths = Padding(torch.arange(sources) + 1)
    return State(Memory(layers, -layers), torch.arange(rows), Memory(keys, -keys), lengths, 7)


def test_a_dataclass_in_a_field_has_its_rows_along_the_axis_of_the_field() -> None:
    rows = torch.tensor([3, 0, 3])
    found = take(state(), rows)
    assert torch.equal(found.memory.hidden, state().memory.hidden[:, rows])
    assert torch.equal(found.memory.cell, state().memory.cell[:, rows])
    assert torch.equal(found.found, rows) and found.position == 7


def test_what_is_kept_for_each_source_follows_the_sources_or_stays() -> None:
    rows, sources = torch.tensor([2, 3]), torch.tensor([1])
    stays = take(state(), rows)
    assert torch.equal(stays.keys.hidden, state().keys.hidden) and len(stays.mask.lengths) == 2
    moved = take(state(), rows, sources)
    assert torch.equal(moved.keys.cell, state().keys.cell[sources])
    assert moved.mask.lengths.tolist() == [2] and moved.found.tolist() == [2, 3]


def test_tensors_tuples_and_caches_are_states_too() -> None:
    x = torch.randn(4, 2, 3, 5)
    cache = KVCache(x, -x)
    rows = torch.tensor([1, 1, 2])
    tensor, (again, none) = take((x, (cache, None)), rows)
    assert torch.equal(tensor, x[rows]) and torch.equal(again.key, x[rows]) and none is None
    assert torch.equal(again.value, -x[rows]) and again.length == 3


def test_what_is_taken_is_not_changed() -> None:
    before = state()
    take(before, torch.tensor([0]), torch.tensor([0]))
    assert torch.equal(before.memory.hidden, state().memory.hidden)


def test_rows_are_counted_along_the_axis_of_the_first_tensor() -> None:
    assert count_rows(state(rows=6)) == 6
    assert count_rows((None, [torch.zeros(3, 2)])) == 3
    assert device_of_state(state()) == torch.device("cpu")


@pytest.mark.parametrize("nothing", [(), 3, None, "text"], ids=repr)
def test_a_state_without_a_tensor_is_refused(nothing: Any) -> None:
    with pytest.raises(ValueError, match=f"{type(nothing).__name__} holds no tensor.*make it"):
        count_rows(nothing)


def test_beams_of_a_source_stand_one_after_the_other() -> None:
    rows = torch.arange(12).reshape(4, 3)
    parent = torch.tensor([[2, 2, 0], [0, 1, 2], [1, 1, 1], [2, 1, 0]])
    assert torch.equal(rows_of_beams(parent, 3), rows.gather(1, parent).flatten())
    some = torch.tensor([3, 0])
    assert torch.equal(rows_of_sources(some, 3), rows[some].flatten())
