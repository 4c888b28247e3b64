"""Every example is examined once, whichever process does it, and the model is left as it was."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from regard.training.evaluation import evaluating, scored, split_records
from regard.training.parallel import (
    Objective,
    distributed,
    is_sharded,
    recompute,
    seed_micro_batch,
    synchronized,
)
from regard.training.ranks import Ranks
from tests.tasks.small import TASKS
from tests.training.tiny import Tiny


@dataclass(frozen=True)
class FakeRanks(Ranks):
    """A rank that receives what the others would have sent."""

    others: Any = None

    def gather(self, text: str) -> list[str]:
        return [text if rank == self.rank else self.others(rank) for rank in range(self.world)]

    def broadcast(self, text: str = "") -> str:
        return text


@pytest.mark.parametrize("name", TASKS)
def test_three_processes_find_what_one_finds(name: str, tmp_path: Path) -> None:
    task = TASKS[name](tmp_path)
    task.predictor.model.double()
    objective = Objective(task)
    alone = scored(task, "valid", split_records(task, objective, Ranks(), "valid", 2))

    def of(rank: int) -> str:
        rows = list(range(task.size("valid")))[rank::3]
        with evaluating(task.predictor.model):
            return json.dumps([rows, task.examine("valid", torch.tensor(rows).numpy(), 2)])

    for rank in range(3):
        ranks = FakeRanks(rank=rank, world=3, others=of)
        records = split_records(task, objective, ranks, "valid", 2)
        assert scored(task, "valid", records) == pytest.approx(alone, rel=1e-6)


def test_a_split_that_is_not_there_has_no_metrics() -> None:
    task = Tiny()
    records = split_records(task, Objective(task), Ranks(), "test")
    assert records == [] and scored(task, "test", records) == {}


@pytest.mark.parametrize("training", [True, False])
def test_a_model_that_was_evaluated_is_as_it_was_afterwards(training: bool) -> None:
    model = nn.Dropout().train(training)
    with pytest.raises(KeyError), evaluating(model):
        assert not model.training and not torch.is_grad_enabled()
        raise KeyError
    assert model.training is training and torch.is_grad_enabled()


def test_draws_depend_on_the_place_in_the_run_alone() -> None:
    def drawn(*numbers: int) -> float:
        seed_micro_batch(*numbers)
        return torch.rand(()).item()

    places = [(s, e, i, r) for s in range(3) for e in range(3) for i in range(3) for r in range(3)]
    first = {place: drawn(*place) for place in places}
    assert len(set(first.values())) == len(places)
    torch.rand(100)
    assert all(drawn(*place) == first[place] for place in reversed(places))


def test_alone_the_objective_is_itself_and_always_synchronized() -> None:
    task = Tiny()
    objective = Objective(task)
    assert distributed(objective, Ranks(), shard=True) is objective
    assert not is_sharded(objective)
    with synchronized(objective, False):
        objective(task.part(0).batch(torch.arange(3).numpy())).backward()
    assert task.predictor.model.output.weight.grad is not None


def test_every_stack_is_told_to_recompute() -> None:
    model = Tiny().predictor.model
    for on in (True, False):
        recompute(model, on)
        assert model.stack.recompute is on
