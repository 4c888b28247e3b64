"""Ragged sequences behave as lists of lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding.ragged import Ragged

lists = st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=6)


def unpacked(ragged: Ragged) -> list[list[int]]:
    return [part.tolist() for part in np.split(ragged.values, ragged.offsets[1:-1])][: len(ragged)]


@given(lists)
def test_packing_keeps_every_sequence(rows: list[list[int]]) -> None:
    assert unpacked(Ragged.of(rows)) == rows


@given(lists.filter(bool), st.data())
def test_taking_is_indexing(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    taken = Ragged.of(rows).take(np.array(chosen, dtype=np.int64))
    assert unpacked(taken) == [rows[index] for index in chosen]


@given(lists)
def test_padding_fills_up_to_the_longest(rows: list[list[int]]) -> None:
    width = max(map(len, rows), default=0)
    wanted = [row + [-1] * (width - len(row)) for row in rows]
    assert Ragged.of(rows).padded(pad=-1).tolist() == wanted


def test_joining_is_concatenation() -> None:
    joined = Ragged.of([[1], [2, 3], [], [4]]).joined(2)
    assert unpacked(joined) == [[1, 2, 3], [4]]


def test_a_number_of_sequences_that_cannot_be_joined_is_refused() -> None:
    with pytest.raises(ValueError, match="3 sequences cannot be joined by 2"):
        Ragged.of([[1], [2], [3]]).joined(2)


@given(lists, st.integers(0, 4))
def test_cutting_keeps_the_beginnings(rows: list[list[int]], length: int) -> None:
    assert unpacked(Ragged.of(rows).cut(length)) == [row[:length] for row in rows]
