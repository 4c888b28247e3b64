"""A stream comes in full pools, shared out by rank, forward only."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.feeding.batching import by_rows
from regard.data.feeding.feed import Feed
from regard.data.feeding.streamed import Streamed


class Pool:
    def __init__(self, examples: Sequence[Mapping[str, Any]]) -> None:
        self.numbers = np.array([example["number"] for example in examples])
        self.lengths = np.ones((len(examples), 1), dtype=np.int64)

    def batch(self, rows: np.ndarray) -> Any:
        return self.numbers[rows]


def stream(count: int) -> Any:
    return extra("datasets").IterableDataset.from_generator(numbers, gen_kwargs={"count": count})


def numbers(count: int):
    for number in range(count):
        yield {"number": number}


def test_pools_are_full_and_begin_again_at_the_end() -> None:
    made = Streamed(stream(5), 3, Pool)
    assert [made(n).numbers.tolist() for n in range(3)] == [[0, 1, 2], [3, 4, 0], [1, 2, 3]]


def test_ranks_share_the_stream_and_take_the_same_steps() -> None:
    seen = []
    for rank in range(2):
        part = Streamed(stream(12), 3, Pool, rank=rank, world=2)
        feed = Feed(part, lambda lengths, rng: by_rows(lengths[:, :1], 2, rng), seed=0)
        steps = itertools.islice(feed, 4)
        seen.append([(s.epoch, s.steps_in_epoch, s.batches[0].tolist()) for s in steps])
    assert [step[:2] for step in seen[0]] == [step[:2] for step in seen[1]]
    assert sorted(n for rank in seen for step in rank for n in step[2]) == list(range(12))


def test_a_stream_goes_on_by_skipping_and_never_back() -> None:
    made = Streamed(stream(20), 3, Pool)
    assert made(2).numbers.tolist() == [6, 7, 8]
    with pytest.raises(ValueError, match="pool 1 of a stream is gone by, the next is 3"):
        made(1)


def test_a_feed_of_a_stream_resumes_and_refuses_workers() -> None:
    def feed(workers: int = 0) -> Feed:
        part = Streamed(stream(50), 6, Pool)
        plan = lambda lengths, rng: by_rows(lengths[:, :1], 2, rng)  # noqa: E731
        return Feed(part, plan, seed=0, workers=workers)

    def read(made: Feed, count: int) -> list[list[int]]:
        return [step.batches[0].tolist() for step in itertools.islice(made, count)]

    first, resumed = feed(), feed()
    read(first, 7)
    resumed.restore(first.state())
    assert read(resumed, 5) == read(feed(), 12)[7:]
    with pytest.raises(ValueError, match="pass workers=0"):
        read(feed(workers=2), 12)


def test_an_empty_share_is_an_error() -> None:
    with pytest.raises(ValueError, match="no example for rank 1"):
        Streamed(stream(1), 1, Pool, rank=1, world=2)(0)
