"""Attention on two and on four processes is that of one, and a mistake of one is told by all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import regard
from regard.context import shard, unshard, zig_zag
from regard.context.layout import Layout
from tests.context.ranks import CASES, WORLD
from tests.one_by_one import all_in_one
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What differed, by case and number of ranks: all cases run in one set of processes."""
    folder = tmp_path_factory.mktemp("ranks")
    done = subprocess.run(
        [sys.executable, "-m", "tests.context.ranks", str(folder)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=PATIENCE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = {}
    for rank in range(WORLD):
        for case, reason in json.loads((folder / f"{rank}.json").read_text()).items():
            found.setdefault(case, []).append(reason)
    return found


@all_in_one("world", [2, WORLD])
@all_in_one("case", CASES)
def test_it_is_what_one_process_says(case: str, world: int, told: dict[str, list[str]]) -> None:
    reasons = told.get(f"{case}, {world}", [])
    assert not reasons, "\n".join(reasons)


def test_without_processes_it_says_what_to_call() -> None:
    x = torch.randn(1, 1, 2, 4)
    with pytest.raises(ValueError, match=r"init_process_group"):
        regard.context_parallel(x, x, x)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("length", [0, 1, 7, 64, 1000])
def test_zig_zag_gives_every_place_once(world: int, length: int) -> None:
    runs = [run for rank in range(world) for run in zig_zag(length, rank, world)]
    places = [place for start, count in runs for place in range(start, start + count)]
    assert sorted(places) == list(range(length))


@pytest.mark.parametrize("world", [2, 4, 8])
def test_zig_zag_gives_all_ranks_the_same_work_under_a_causal_mask(world: int) -> None:
    length, causal = 4096 * world, (None, 0)
    spans = [zig_zag(length, rank, world) for rank in range(world)]
    even = [pairs(Layout(rank, spans, spans), causal) for rank in range(world)]
    assert len(set(even)) == 1
    order = [[(4096 * rank, 4096)] for rank in range(world)]
    uneven = [pairs(Layout(rank, order, order), causal) for rank in range(world)]
    assert max(uneven) > 0.9 * world * min(uneven)


def test_work_and_bytes_of_a_window_do_not_depend_on_how_many_ranks_there_are() -> None:
    for world in (2, 16):
        order = [[(4096 * rank, 4096)] for rank in range(world)]
        layout, window = Layout(1, order, order), (256, 0)
        assert sum(piece.length for piece in layout.needed(1, 0, window)) == 256
        assert pairs(layout, window) <= 2.1 * 256 * 4096


def pairs(layout: Layout, reach: tuple[int | None, int | None]) -> int:
    """All pairs that a rank computes."""
    return sum(layout.pairs(layout.rank, owner, reach) for owner in range(layout.world))


def test_spans_that_are_not_there_are_refused() -> None:
    x = torch.randn(1, 1, 4, 2)
    with pytest.raises(ValueError, match="a span of 3 from 2 is not within the 4 places"):
        shard(x, [(2, 3)])
    with pytest.raises(ValueError, match="the spans have 3 places but dimension 2 has 4"):
        unshard(x, [(0, 3)], 4)
    with pytest.raises(ValueError, match="0 <= rank < world"):
        zig_zag(8, 2, 2)
