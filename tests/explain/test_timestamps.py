"""Times of tokens: the path is the best of all monotone ones, the rest is Whisper's arithmetic."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.explain import TokenTimes, Words, token_times
from regard.explain._warping import cheapest_path
from regard.explain.timestamps import median_filter
from tests.explain.drawn import weights


def all_paths(rows: int, columns: int) -> Iterator[list[tuple[int, int]]]:
    """Every monotone path from the first corner to the last."""
    if rows == 1 and columns == 1:
        yield [(0, 0)]
        return
    for down, right in ((1, 0), (0, 1), (1, 1)):
        if rows > down and columns > right:
            for path in all_paths(rows - down, columns - right):
                yield [*path, (rows - 1, columns - 1)]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 999))
def test_no_monotone_path_is_cheaper(rows: int, columns: int, seed: int) -> None:
    cost = np.random.default_rng(seed).normal(size=(rows, columns))
    path = cheapest_path(cost)
    assert path in list(all_paths(rows, columns))
    least = min(sum(cost[at] for at in each) for each in all_paths(rows, columns))
    assert sum(cost[at] for at in path) == pytest.approx(least)


def test_it_is_the_path_and_the_filter_of_transformers() -> None:
    whisper = pytest.importorskip("transformers.models.whisper.generation_whisper")
    cost = np.random.default_rng(0).normal(size=(9, 40))
    text, time = whisper._dynamic_time_warping(cost)
    assert cheapest_path(cost) == [*zip(text.tolist(), time.tolist(), strict=True)]
    values = torch.randn(2, 5, 40)
    for width in (1, 3, 7):
        theirs = whisper._median_filter(values, width)
        assert torch.equal(median_filter(values, width), theirs)


@given(st.integers(1, 9), st.sampled_from([1, 3, 5, 7]))
def test_the_median_is_that_of_a_mirrored_neighbourhood(length: int, width: int) -> None:
    values, half = torch.rand(length), width // 2
    found = median_filter(values, width).tolist()
    if length <= half:
        assert found == values.tolist()
        return
    for at in range(length):
        near = []
        for place in range(at - half, at + half + 1):
            place = abs(place)
            near.append(values[min(place, 2 * (length - 1) - place)].item())
        assert found[at] == sorted(near)[half]


def test_it_is_the_arithmetic_that_is_written_down() -> None:
    given = [weights(2, 3, 6, 20), weights(2, 2, 6, 20, seed=1)]
    pairs, rows, frames = [(0, 2), (1, 0)], [1, 2, 3, 4], 17
    found = token_times(
        given, pairs, seconds_per_frame=0.5, queries=rows, frames=frames, median=3, item=1
    )
    matrix = np.zeros((6, frames))
    for layer, head in pairs:
        sound = given[layer][1, head, :, :frames].numpy().copy()
        for row in sound:
            row /= row.sum()
        scaled = (sound - sound.mean(0)) / sound.std(0)
        for q, k in np.ndindex(6, frames):
            near = [scaled[q, abs(k + d) if k + d < frames else 2 * (frames - 1) - k - d]
                    for d in (-1, 0, 1)]  # fmt: skip
            matrix[q, k] += np.median(near) / len(pairs)
    path = cheapest_path(-matrix[rows])
    assert list(found.path) == path
    firsts = [min(k for q, k in path if q == token) for token in range(4)]
    assert found.starts == tuple(0.5 * first for first in firsts)
    assert found.ends == (*found.starts[1:], 0.5 * frames)


def test_tokens_are_found_where_they_were_said() -> None:
    said = torch.full((5, 40), 0.01)
    for token, (first, last) in enumerate([(0, 6), (6, 15), (15, 20), (20, 34), (34, 40)]):
        said[token, first:last] = 1.0
    said = said / said.sum(-1, keepdim=True)
    found = token_times(said[None, None, None], seconds_per_frame=0.02)
    assert found.starts == pytest.approx([0.0, 0.12, 0.30, 0.40, 0.68])
    assert found.ends == pytest.approx([0.12, 0.30, 0.40, 0.68, 0.80])
    spoken = found.of_words(Words(((0, 2), (2, 5))))
    assert spoken[0] == pytest.approx((0.0, 0.30)) and spoken[1] == pytest.approx((0.30, 0.80))
    with pytest.raises(ValueError, match="these words have 4 tokens, and 5 were timed"):
        found.of_words(Words(((0, 4),)))


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 99))
def test_times_go_on_and_end_with_the_sound(tokens: int, frames: int, seed: int) -> None:
    given = weights(1, 1, 2, tokens, frames, seed=seed)
    found = token_times(given, seconds_per_frame=1.0)
    assert isinstance(found, TokenTimes) and len(found.starts) == tokens
    assert list(found.starts) == sorted(found.starts) and found.starts[0] == 0
    assert all(a <= b for a, b in zip(found.starts, found.ends, strict=True))
    assert found.ends[-1] == frames


def test_what_cannot_be_timed_is_refused() -> None:
    given = [weights(1, 2, 4, 9), weights(1, 2, 4, 9)]
    with pytest.raises(ValueError, match="seconds_per_frame above 0, got 0"):
        token_times(given, seconds_per_frame=0)
    with pytest.raises(IndexError, match="layers has 2, and there are 2"):
        token_times(given, [(2, 0)], seconds_per_frame=1.0)
    with pytest.raises(IndexError, match="heads has 5, and there are 2"):
        token_times(given, [(0, 5)], seconds_per_frame=1.0)
    with pytest.raises(ValueError, match="at least one .layer, head., got none"):
        token_times(given, [], seconds_per_frame=1.0)
    with pytest.raises(ValueError, match="frames is 10, and there are 9 keys"):
        token_times(given, seconds_per_frame=1.0, frames=10)
    with pytest.raises(ValueError, match="an odd width of at least 1, got 4"):
        token_times(given, seconds_per_frame=1.0, median=4)
    with pytest.raises(IndexError, match="item has 1, and there are 1"):
        token_times(given, seconds_per_frame=1.0, item=1)
    with pytest.raises(ValueError, match=r"layer 1 has \[4, 8\] queries and frames, layer 0"):
        token_times([given[0], weights(1, 2, 4, 8)], seconds_per_frame=1.0)
