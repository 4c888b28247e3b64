"""Batches hold every row once, keep within their area, and waste little of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.feeding.batching import by_rows, by_tokens, padding_share

pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60)


@given(pairs, st.integers(1, 200))
def test_every_row_comes_once_and_the_area_is_kept(rows: list[tuple[int, int]], most: int) -> None:
    lengths = np.array(rows)
    batches = by_tokens(lengths, most, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(rows)))
    areas = [len(batch) * lengths[batch].max(0).sum() for batch in batches]
    alone = [len(batch) == 1 for batch in batches]
    assert all(area <= most or single for area, single in zip(areas, alone, strict=True))


@pytest.mark.parametrize("tokens", [2000, 4000])
def test_at_most_a_tenth_is_padding(tokens: int) -> None:
    rng = np.random.default_rng(0)
    source = np.minimum(rng.zipf(1.4, 20_000) + 5, 120)
    target = np.maximum(1, source + rng.integers(-4, 5, len(source)))
    lengths = np.stack([source, target], axis=1)
    batches = by_tokens(lengths, tokens, rng)
    assert padding_share(lengths, batches) <= 0.10
    unsorted = np.array_split(rng.permutation(len(source)), len(batches))
    assert padding_share(lengths, unsorted) > 0.3


def test_batches_are_mixed_anew_each_time() -> None:
    lengths, rng = np.full((1000, 2), 5), np.random.default_rng(0)
    first, second = (by_tokens(lengths, 100, rng)[0].tolist() for _ in range(2))
    assert first != second


def test_no_rows_give_no_batches_and_no_tokens_are_refused() -> None:
    rng = np.random.default_rng(0)
    assert by_tokens(np.zeros((0, 2), dtype=int), 10, rng) == []
    with pytest.raises(ValueError, match="got 0"):
        by_tokens(np.ones((1, 2), dtype=int), 0, rng)


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 7))
def test_batches_of_rows_hold_every_row_exactly_once(lengths: list[int], size: int) -> None:
    batches = by_rows(np.array(lengths, dtype=int)[:, None], size, np.random.default_rng(0))
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) <= size for rows in batches)
    assert sum(len(rows) < size for rows in batches) <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 7))
def test_no_other_row_lies_between_the_lengths_of_a_batch(lengths: list[int], size: int) -> None:
    spans = sorted(
        (min(lengths[row] for row in rows), max(lengths[row] for row in rows))
        for rows in by_rows(np.array(lengths)[:, None], size, np.random.default_rng(0))
    )
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))


def test_batches_of_rows_are_drawn_as_they_were_when_runs_of_today_began() -> None:
    lengths = np.array([[3], [1], [4], [1], [5], [9], [2], [6]])
    found = by_rows(lengths, 3, np.random.default_rng(7))
    assert [rows.tolist() for rows in found] == [[3, 1, 6], [0, 2, 4], [7, 5]]


def test_rows_of_equal_length_are_mixed_anew_and_no_rows_at_a_time_are_refused() -> None:
    rng = np.random.default_rng(0)
    first, second = (by_rows(np.full((1000, 1), 5), 10, rng)[0].tolist() for _ in range(2))
    assert first != second
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        by_rows(np.array([[1]]), 0, rng)
