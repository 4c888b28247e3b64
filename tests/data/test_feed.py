"""A feed's order depends on the seed alone, and goes on from wherever it was cut."""

import functools
import itertools
import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from regard.data.feeding.batching import by_tokens
from regard.data.feeding.feed import EpochExamples, Feed
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Numbers:
    """Rows that are their own numbers, 1000 times the epoch above."""

    lengths: np.ndarray
    epoch: int

    def batch(self, rows: np.ndarray) -> Any:
        return torch.tensor(rows + 1000 * self.epoch)


def part(epoch: int, rows: int = 50) -> EpochExamples:
    lengths = np.random.default_rng(7).integers(1, 20, (rows, 2))
    return Numbers(lengths, epoch)


def plan(lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    return by_tokens(lengths, 100, rng)


def feed(**options: Any) -> Feed:
    return Feed(options.pop("part", part), plan, **{"seed": 3, "accumulate": 3, **options})


def steps(made: Feed, count: int) -> list[list[list[int]]]:
    return [[b.tolist() for b in step.batches] for step in itertools.islice(made, count)]


def test_every_example_comes_once_an_epoch() -> None:
    made = feed()
    for epoch in range(3):
        seen = steps(made, made.steps_in(epoch))
        rows = [row - 1000 * epoch for step in seen for batch in step for row in batch]
        assert sorted(rows) == list(range(50))


def test_epochs_and_seeds_differ() -> None:
    made, other = feed(), feed(seed=4)
    first, second = (np.concatenate(sum(steps(made, made.steps_in(e)), [])) for e in (0, 1))
    elsewhere = np.concatenate(sum(steps(other, other.steps_in(0)), []))
    assert first.tolist() != (second - 1000).tolist()
    assert first.tolist() != elsewhere.tolist()


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_the_global_order_does_not_depend_on_the_world_size(world: int) -> None:
    whole = steps(feed(), 40)
    shares = [steps(feed(rank=rank, world=world), 40) for rank in range(world)]
    for together, *parts in zip(whole, *shares, strict=True):
        dealt = itertools.chain.from_iterable(itertools.zip_longest(*parts))
        assert [batch for batch in dealt if batch is not None] == together


def test_every_rank_sees_the_same_steps_even_without_a_batch() -> None:
    made = [feed(rank=rank, world=4) for rank in range(4)]
    seen = [[(s.epoch, s.index, s.steps_in_epoch) for s in itertools.islice(m, 30)] for m in made]
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert all(batches == [] for batches in steps(feed(rank=3, world=4), 10))


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (3, 1)])
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 11, 23])
def test_a_feed_goes_on_where_its_state_was_taken(cut: int, before: int, after: int) -> None:
    first = feed(world=before)
    for _ in itertools.islice(first, cut):
        pass
    state = json.loads(json.dumps(first.state()))
    resumed = feed(world=after)
    resumed.restore(state)
    assert steps(resumed, 10) == steps(feed(world=after), cut + 10)[cut:]


def test_the_state_counts_steps_handed_out_not_those_made_ahead() -> None:
    made = feed(workers=2)
    running = iter(made)
    for _ in range(4):
        next(running)
    state = made.state()
    running.close()
    resumed = feed()
    resumed.restore(state)
    assert steps(resumed, 3) == steps(feed(), 7)[4:]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"accumulate": 2},
        {"part": functools.partial(part, rows=49)},
    ],
)
def test_changed_data_or_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="seed|data or batch settings changed"):
        feed(**change).restore(feed().state())


@pytest.mark.parametrize("state", [{}, {"seed": 3, "epoch": "0", "index": 0}, {"seed": True}])
def test_a_state_that_is_none_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="state of a feed"):
        feed().restore(state)


def test_no_examples_are_an_error_not_an_endless_loop() -> None:
    with pytest.raises(ValueError, match="no batch"):
        next(iter(feed(part=functools.partial(part, rows=0))))


@pytest.mark.parametrize("options", [{"accumulate": 0}, {"rank": 2, "world": 2}, {"workers": -1}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        feed(**options)


def test_workers_give_the_same_batches_and_leave_the_random_numbers_alone() -> None:
    alone = steps(feed(), 40)
    before = torch.get_rng_state()
    assert steps(feed(workers=2), 40) == alone
    assert torch.equal(torch.get_rng_state(), before)
    assert not multiprocessing.active_children()


@dataclass(frozen=True)
class Failing(Numbers):
    """Fails in its own way in the second epoch."""

    how: str

    def batch(self, rows: np.ndarray) -> Any:
        if self.epoch:
            fail(self.how)
        return super().batch(rows)


def fail(how: str) -> None:
    if how == "raise":
        raise KeyError("a bad row")
    if how == "hang":
        time.sleep(1000)
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how])
    time.sleep(1000)


@pytest.mark.parametrize("how", ["kill", "hang", "stop", "raise"])
def test_a_worker_that_fails_ends_the_feed_and_leaves_no_process(how: str) -> None:
    lengths = part(0).lengths
    # A worker that raises is heard at once; the others are given up after this.
    seconds = PATIENCE if how == "raise" else 1.0
    made = feed(part=lambda epoch: Failing(lengths, epoch, how), workers=2, timeout=seconds)
    expected = (KeyError, "bad row") if how == "raise" else (RuntimeError, "died or gave none")
    with pytest.raises(expected[0], match=expected[1]):
        steps(made, 100)
    assert not multiprocessing.active_children()
