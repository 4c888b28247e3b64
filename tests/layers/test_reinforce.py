"""REINFORCE's term teaches without changing the loss, and its baseline is the same on all ranks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from regard.layers import Reinforce, Sampled
from tests.layers.reinforce_ranks import ROUNDS, SPARE, step


def with_baseline(value: float) -> Reinforce:
    reinforce = Reinforce(bonus=0.0)
    reinforce.baseline.fill_(value)
    return reinforce


def test_the_loss_keeps_its_value() -> None:
    sampled = Sampled(torch.tensor([-1.0, -2.0], requires_grad=True), torch.ones(2))
    nll = torch.tensor([3.0, 5.0])
    assert torch.equal(nll + Reinforce()(nll, sampled), nll)


def test_the_baseline_follows_the_loss_in_training_alone() -> None:
    reinforce, sampled = Reinforce(), Sampled(torch.zeros(2), torch.zeros(2))
    for wanted in (0.4, 0.76):
        reinforce(torch.tensor([3.0, 5.0]), sampled)
        torch.testing.assert_close(reinforce.baseline, torch.tensor(wanted))
    reinforce.eval()(torch.tensor([3.0, 5.0]), sampled)
    torch.testing.assert_close(reinforce.baseline, torch.tensor(0.76))


def test_a_row_that_is_not_known_is_as_none() -> None:
    known = torch.tensor([True, False, True])
    nll, log_prob = torch.tensor([3.0, 100.0, 5.0]), torch.tensor([-1.0, -2.0, -3.0])
    found = []
    for rows, told in ((torch.arange(3), known), (torch.tensor([0, 2]), None)):
        reinforce, leaf = with_baseline(1.0), log_prob.clone().requires_grad_()
        reinforce(nll[rows], Sampled(leaf[rows], leaf[rows]), told).sum().backward()
        found.append((leaf.grad, reinforce.baseline))
    assert found[0][0].tolist() == [2.0, 0.0, 4.0]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("nll", [[], [7.0], [float("nan")], [float("inf")]], ids=str)
def test_a_batch_that_tells_nothing_leaves_the_baseline_as_it_was(nll: list[float]) -> None:
    reinforce, zeros = with_baseline(2.0), torch.zeros(len(nll))
    known = torch.zeros(len(nll), dtype=torch.bool) if nll == [7.0] else None
    reinforce(torch.tensor(nll), Sampled(zeros, zeros), known)
    assert reinforce.baseline == 2.0


@pytest.mark.parametrize("arguments", [{"decay": 1.0}, {"decay": -0.1}, {"bonus": -1.0}])
def test_impossible_numbers_are_refused(arguments: dict[str, float]) -> None:
    (name,) = arguments
    with pytest.raises(ValueError, match=name):
        Reinforce(**arguments)


def test_the_baseline_rests_where_nothing_is_learned() -> None:
    reinforce, sampled = with_baseline(2.0), Sampled(torch.zeros(1), torch.zeros(1))
    with torch.no_grad():
        reinforce(torch.tensor([7.0]), sampled)
    assert reinforce.baseline == 2.0
    reinforce.spare = True
    reinforce(torch.tensor([7.0]), sampled)
    assert reinforce.baseline == 2.0


@pytest.mark.slow
def test_on_many_ranks_counts_are_those_of_one_with_all_examples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.layers.reinforce_ranks"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first == second
    assert first.pop() == 100 - 3 - 4 - 3
    alone, wanted = Reinforce().double(), []
    for costs in [*(sum(round, []) for round in ROUNDS), SPARE[0]]:
        step(alone, costs)
        wanted.append(float(alone.baseline))
    assert len(set(wanted)) > 4
    assert first == pytest.approx(wanted, rel=1e-12)
