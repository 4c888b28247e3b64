"""Tasks and predictors put every tensor where the model is; without a GPU, a stand-in shows it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from regard.run.merging import settings_for
from regard.run.preparing import task_of
from regard.run.request import Request
from regard.tasks.predictor import device_of
from regard.training.ranks import Ranks
from tests.run.tiny import SMALL, data_of, few_rows
from tests.tasks.second_device import DEVICE, second_device

SHORTER: dict[str, dict[str, Any]] = {
    "transformer": {"extra_length": 2},
    "rnnsearch": {"extra_length": 2},
    "luong": {"extra_length": 2},
    "dates": {"examples_per_epoch": 99, "max_length": 4, "eval_batch_size": 8},
}


def tasks(recipe: str, folder: Path) -> list[Any]:
    """Two tasks of a recipe with their networks, small, new and equal."""
    data = data_of(recipe)
    given = {**SMALL[recipe], **SHORTER.get(recipe, {}), "steps": 1}
    path = {} if data is None else {"data": str(data)}
    with few_rows():
        settings, corpus = settings_for(Request(recipe, (), tuple((path | given).items())), None)
    return [task_of(settings, corpus, folder / name, Ranks()) for name in ("one", "two")]


def outcome(task: Any, device: torch.device) -> list[Any]:
    """Answers, records of an evaluation and the loss of a batch, as plain values in one list."""
    task.model.eval()
    answers = task.predictor.predict([each for each, _ in task.fixed[:2]], 2)
    records = task.examine("valid", np.arange(min(2, task.size("valid"))))
    torch.manual_seed(0)
    loss = task.loss(task.part(0).batch(np.arange(3)).to(device))
    loss.backward()
    weights = [None if each.weights is None else each.weights.tolist() for each in answers]
    return tree_leaves([[each.answers for each in answers], weights, records, loss.item()])


@pytest.mark.parametrize("recipe", SMALL)
def test_on_another_device_everything_is_as_on_the_cpu(recipe: str, tmp_path: Path) -> None:
    here, there = tasks(recipe, tmp_path)
    expected = outcome(here, torch.device("cpu"))
    with second_device(there.model):
        assert device_of(there.model) == DEVICE
        found = outcome(there, DEVICE)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (
            one == pytest.approx(other, rel=1e-6, abs=1e-5)
            if isinstance(other, float)
            else one == other
        )


def test_the_second_device_refuses_what_a_gpu_refuses() -> None:
    model = nn.Linear(2, 3)
    with second_device(model):
        there = torch.ones(4, 2, device=device_of(model))
        assert there.device == model(there).device == DEVICE
        assert there.cpu().device == torch.zeros_like(there.cpu()).device == torch.device("cpu")
        for mixed in (
            lambda: model(torch.ones(4, 2)),
            lambda: there + torch.ones(2),
            lambda: torch.cat([there, torch.ones(1, 2)]),
            lambda: torch.ones(5)[torch.tensor([1, 2], device=DEVICE)],
            lambda: there.gather(1, torch.zeros(4, 1, dtype=torch.long)),
            there.numpy,
        ):
            with pytest.raises((RuntimeError, TypeError), match="xpu:0"):
                mixed()
        there[torch.tensor([0])] = 2.0
        assert (there + torch.tensor(1.0)).tolist()[0] == [3.0, 3.0]
