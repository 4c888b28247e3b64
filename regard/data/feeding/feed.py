"""Feed: an endless stream of optimizer steps that can be resumed at any of them."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from regard.data.feeding.workers import fetched


@runtime_checkable
class EpochExamples(Protocol):
    """The examples of one epoch: how long they are, and any of them as a batch."""

    @property
    def lengths(self) -> np.ndarray:
        """The lengths `[n columns]` that batches are planned by."""

    def batch(self, rows: np.ndarray) -> Any:
        """These examples; the same rows give the same batch, in whatever process it is made."""


@dataclass(frozen=True)
class StepBatches:
    """One optimizer step's micro-batches for one rank, and where the step stands."""

    epoch: int
    index: int
    steps_in_epoch: int
    batches: list[Any]


BatchPlanner = Callable[[np.ndarray, np.random.Generator], list[np.ndarray]]


class Feed:
    """The steps of a rank, epoch after epoch, endlessly.

    An epoch's order is `plan(part(epoch).lengths, default_rng([seed, epoch]))`: row numbers, one
    array for each micro-batch. `accumulate` consecutive ones make a step, of which rank `r` gets
    those numbered `r`, `r + world`, ... So the order of the examples does not depend on `world`,
    every rank sees as many steps as any other, and a rank may find a step empty; with `accumulate`
    a multiple of `world` only the last step of an epoch can be uneven.

    `part` gives the examples of an epoch, the same each time it is asked for the same epoch.
    With `workers`, that many processes make the batches ahead; the batches are the same. A worker
    that dies, or needs longer than `timeout` seconds, is a `RuntimeError`.

    Raises `ValueError` for numbers that make no sense, and for a plan without any batch.
    """

    def __init__(
        self,
        part: Callable[[int], EpochExamples],
        plan: BatchPlanner,
        *,
        seed: int,
        accumulate: int = 1,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        timeout: float = 60.0,
    ) -> None:
        if accumulate < 1 or workers < 0 or seed < 0:
            raise ValueError(
                f"accumulate must be at least 1, workers and seed at least 0; got accumulate "
                f"{accumulate}, workers {workers}, seed {seed}"
            )
        if not 0 <= rank < world:
            raise ValueError(f"rank must be between 0 and {world - 1}, got {rank}")
        self._part, self._plan, self._seed, self._accumulate = part, plan, seed, accumulate
        self._rank, self._world, self._workers, self._timeout = rank, world, workers, timeout
        self._parts: dict[int, EpochExamples] = {}
        self._plans: dict[int, list[np.ndarray]] = {}
        self._digests: dict[int, str] = {}
        self._next = (0, 0)

    def __iter__(self) -> Generator[StepBatches, None, None]:
        """The steps from where the feed stands."""
        batches = fetched(self._part_of, self._orders(*self._next), self._workers, self._timeout)
        try:
            while True:
                epoch, index = self._next
                steps = self.steps_in(epoch)
                mine = [next(batches) for _ in self._mine(epoch, index)]
                self._next = (epoch, index + 1) if index + 1 < steps else (epoch + 1, 0)
                yield StepBatches(epoch, index, steps, mine)
        finally:
            batches.close()

    def steps_in(self, epoch: int) -> int:
        """How many steps an epoch has."""
        return -(-len(self._planned(epoch)) // self._accumulate)

    def state(self) -> dict[str, Any]:
        """Where the next step stands: numbers and text only, for `restore`."""
        epoch, index = self._next
        digest = self._digest(epoch)
        return {"seed": self._seed, "epoch": epoch, "index": index, "digest": digest}

    def restore(self, state: dict[str, Any]) -> None:
        """Stand where `state` was taken; any number of ranks may have taken it.

        Raises `ValueError` when the data, the seed or the batches are not the same as then.
        """
        numbers: list[Any] = [state.get(key) for key in ("seed", "epoch", "index")]
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"the state of a feed has seed, epoch and index, got {state}")
        seed, epoch, index = numbers
        if seed != self._seed:
            raise ValueError(f"the order was shuffled with seed {seed}, this run has {self._seed}")
        same = state.get("digest") == self._digest(epoch)
        if not same or index >= self.steps_in(epoch):
            raise ValueError(
                f"the data or batch settings changed: epoch {epoch} no longer has the batches it "
                "had when this state was saved"
            )
        self._next = (epoch, index)

    def _part_of(self, epoch: int) -> EpochExamples:
        if epoch in self._parts:
            return self._parts[epoch]
        part = self._parts[epoch] = self._part(epoch)
        _forget(self._parts)
        return part

    def _planned(self, epoch: int) -> list[np.ndarray]:
        if epoch in self._plans:
            return self._plans[epoch]
        rng = np.random.default_rng([self._seed, epoch])
        plan = self._plan(self._part_of(epoch).lengths, rng)
        if not plan:
            raise ValueError(f"epoch {epoch} has no batch: there are no examples")
        self._plans[epoch] = plan
        _forget(self._plans)
        return plan

    def _mine(self, epoch: int, index: int) -> list[np.ndarray]:
        start = index * self._accumulate
        return self._planned(epoch)[start : start + self._accumulate][self._rank :: self._world]

    def _orders(self, epoch: int, index: int) -> Iterator[tuple[int, np.ndarray]]:
        """What to fetch, from this step on: epoch and rows of each of the rank's micro-batches."""
        while True:
            for step in range(index, self.steps_in(epoch)):
                yield from ((epoch, rows) for rows in self._mine(epoch, step))
            epoch, index = epoch + 1, 0

    def _digest(self, epoch: int) -> str:
        # The state is asked for at every step, and a plan may be of millions of rows.
        if epoch not in self._digests:
            digest = hashlib.sha256(str(self._accumulate).encode())
            for rows in self._planned(epoch):
                digest.update(b"%d:" % len(rows))
                digest.update(np.ascontiguousarray(rows, dtype="<i8").tobytes())
            self._digests[epoch] = digest.hexdigest()
            _forget(self._digests)
        return self._digests[epoch]


def _forget(epochs: dict[int, Any]) -> None:
    """Keep the last two: workers run ahead into the next epoch, or further where one is short."""
    for old in sorted(epochs)[:-2]:
        del epochs[old]
