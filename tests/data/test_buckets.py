"""Buckets hold every row once, and rows of like length together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.feeding.buckets import buckets


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 7))
def test_every_row_comes_exactly_once(lengths: list[int], size: int) -> None:
    batches = list(buckets(np.array(lengths), size, np.random.default_rng(0)))
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert sum(len(rows) < size for rows in batches) <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 7))
def test_no_other_row_lies_between_the_lengths_of_a_batch(lengths: list[int], size: int) -> None:
    spans = sorted(
        (min(lengths[row] for row in rows), max(lengths[row] for row in rows))
        for rows in buckets(np.array(lengths), size, np.random.default_rng(0))
    )
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))


def test_equal_lengths_are_mixed_anew_each_time() -> None:
    rng = np.random.default_rng(0)
    first, second = (next(buckets(np.full(1000, 5), 10, rng)).tolist() for _ in range(2))
    assert first != second


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        next(buckets(np.array([1]), 0, np.random.default_rng(0)))
