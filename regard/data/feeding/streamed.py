"""Streamed: a data set larger than the disk, as one pool of examples after another."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from regard._io.extra import extra
from regard.data.feeding.feed import EpochExamples


class Streamed:
    """The `part` of a `Feed` that reads a `datasets.IterableDataset`, a pool an epoch.

    Of `world` ranks each reads its own share of the stream, so that each has a feed of its own
    (`Feed(Streamed(…, rank=r, world=w), plan, rank=0, world=1)`). Every pool has exactly `pool`
    examples: at its end the stream begins again. With a plan of a fixed number of rows, as
    `by_rows` is, all ranks therefore have the same number of steps; `by_tokens` gives each its own.

    A stream goes forward only. After a restart pool `n` is found by reading the `n` pools before
    it again, without encoding them, and only for the same `world`: another one shares out other
    examples. The feed cannot see that, so whoever resumes compares the two.

    Raises `ValueError` in a worker process, for a pool that is gone by, for a share without any
    example, and for numbers that make no sense.
    """

    def __init__(
        self,
        dataset: Any,
        pool: int,
        encode: Callable[[Sequence[Mapping[str, Any]]], EpochExamples],
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if pool < 1 or not 0 <= rank < world:
            raise ValueError(
                f"pool must be at least 1 and rank below world; got {pool}, {rank}, {world}"
            )
        self._dataset, self._pool, self._encode = dataset, pool, encode
        self._rank, self._world = rank, world
        self._process, self._next = os.getpid(), 0
        self._examples = self._endless()

    def __call__(self, number: int) -> EpochExamples:
        """Pool `number`."""
        if self._process != os.getpid():
            # There `datasets` divides the stream once more, among the workers.
            raise ValueError("a stream is read by the training process itself: pass workers=0")
        if number < self._next:
            raise ValueError(
                f"pool {number} of a stream is gone by, the next is {self._next}; read it anew"
            )
        for _ in range((number - self._next) * self._pool):
            next(self._examples)
        pool = [next(self._examples) for _ in range(self._pool)]
        self._next = number + 1
        return self._encode(pool)

    def _endless(self) -> Iterator[Mapping[str, Any]]:
        shared = extra("datasets.distributed").split_dataset_by_node
        share = shared(self._dataset, self._rank, self._world)
        while True:
            empty = True
            for example in share:
                empty = False
                yield example
            if empty:
                raise ValueError(f"the stream has no example for rank {self._rank}")
