"""Whoever answers a question about a story has learned which sentences support the answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tasks.rows import learn
from tests.tasks.stories import asking

pytestmark = pytest.mark.slow


def pointed(
    folder: Path, kind: str, steps: int, rate: float, train: int, **model: Any
) -> dict[str, float]:
    """What is scored on 300 new stories after so many updates."""
    task = asking(folder, kind, {"train": train, "valid": 300}, **{"linear_epochs": 6.0} | model)
    torch.manual_seed(0)
    task.predictor.model.train()
    learn(task, steps, rate)
    return task.score("valid", task.examine("valid", np.arange(300)))


def test_a_hop_looks_at_the_sentence_that_tells_where_somebody_is(tmp_path: Path) -> None:
    scores = pointed(tmp_path, "qa1", 700, 3e-2, 600, hops=1)
    assert scores["pointing"] >= 0.95 and scores["accuracy"] >= 0.95


@pytest.mark.parametrize("estimator", ["gumbel", "reinforce"])
def test_a_hard_attention_chooses_that_sentence(tmp_path: Path, estimator: str) -> None:
    hard = {"hops": 1, "attention": f"hard(estimator={estimator})", "linear_epochs": 20.0}
    scores = pointed(tmp_path, "qa1", 1600, 3e-2, 600, **hard)
    assert scores["pointing"] >= 0.95 and scores["accuracy"] >= 0.95


def test_hops_find_both_sentences_that_tell_where_a_thing_is(tmp_path: Path) -> None:
    scores = pointed(tmp_path, "qa2", 4500, 1e-2, 4000, hops=3, linear_epochs=8.0)
    assert scores["pointing"] >= 0.95 and scores["accuracy"] >= 0.95
