"""Processes that train together agree, and none waits without end for one that is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from regard.errors import UsageError
from regard.training.ranks import LostRank, Ranks, joined
from tests.patience import PATIENCE

KINDS = ("well", "differ", "die", "fail", "hang")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """What became of two ranks, for each way in which the second one can behave."""
    worker = Path(__file__).with_name("rank_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker), "forked", *KINDS],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(worker.parents[2])},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


Outcomes = dict[str, dict[str, Any]]


def test_two_processes_sum_and_gather(outcomes: Outcomes) -> None:
    assert outcomes["well"]["codes"] == [0, 0]
    assert outcomes["well"]["said"][0] == "0/2 [2.0, 1.0] ['', 'héllo\\n']\n"


def test_every_rank_hears_which_differ(outcomes: Outcomes) -> None:
    assert outcomes["differ"]["codes"] == [1, 1]
    for said in outcomes["differ"]["said"]:
        assert "regard: the configuration of rank 1 differs from that of rank 0; " in said


@pytest.mark.parametrize(("kind", "code"), [("die", 7), ("fail", 1), ("hang", -9)])
def test_a_lost_rank_ends_the_other_with_a_sentence(
    outcomes: Outcomes, kind: str, code: int
) -> None:
    outcome = outcomes[kind]
    assert outcome["codes"] == [1, code]
    assert "regard: rank 0 of 2 lost another rank: it died, or gave" in outcome["said"][0]
    seconds = 3 if kind == "hang" else 200
    assert f"no sign for {seconds} s; start again" in outcome["said"][0]


def test_one_process_alone_needs_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with joined(device="cpu") as alone:
        pass
    assert (alone.rank, alone.world, alone.is_main) == (0, 1, True)
    given = torch.ones(2)
    assert torch.equal(alone.sum(given), given) and alone.sum(given) is not given
    assert alone.gather("") == [""] and alone.gather("日本\n") == ["日本\n"]
    alone.require_same("anything")
    alone.barrier()


@pytest.mark.parametrize(
    "given", [("x", "2", "0"), ("2", "2", "0"), ("-1", "1", "0"), ("0", "0", "0")]
)
def test_an_environment_that_is_not_torchruns_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: tuple[str, str, str]
) -> None:
    for name, text in zip(("RANK", "WORLD_SIZE", "LOCAL_RANK"), given, strict=True):
        monkeypatch.setenv(name, text)
    named = f"RANK={given[0]}, WORLD_SIZE={given[1]}"
    with pytest.raises(UsageError, match=named), joined(device="cpu"):
        pass


def test_errors_that_are_not_about_ranks_pass_as_they_are() -> None:
    ranks = Ranks(rank=0, world=2)
    with pytest.raises(RuntimeError, match="^shapes differ$"), ranks.raising_lost_rank():
        raise RuntimeError("shapes differ")
    with pytest.raises(LostRank, match="rank 0 of 2"), ranks.raising_lost_rank():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer")
