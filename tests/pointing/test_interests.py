"""Recommenders look at the items of the past that tell what comes next."""

import numpy as np
import pytest
import torch

from regard.data.encoding.histories import histories, leave_one_out
from regard.data.synthetic.interests import rows, topic_of
from regard.models.din import DIN, DINConfig
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig
from regard.tasks.recommend import Recommend
from regard.tasks.recommender import Recommender, features_of
from tests.tasks.small import learn

SIGNAL, NOISE = 8, 30


def share_on_the_candidates_topic(task: Recommend) -> float:
    """How often the greatest weight, by its size, is on an item of the candidate's topic."""
    part, catalogue, model = task.examples["test"], task.predictor.catalogue, task.predictor.model
    topics = np.array([topic_of(item) for item in catalogue.items])
    right = []
    for history, target in zip(part.take(np.arange(len(part))), part.targets, strict=True):
        same = topics[history] == topics[target]
        if same.any() and not same.all():
            past, offered = torch.tensor(history)[None], torch.tensor([[int(target)]])
            with torch.no_grad():
                weights = model.look(past, None, offered)[0, 0]
            right.append(same[int(weights.abs().argmax())])
    assert len(right) > 100
    return float(np.mean(right))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "count", "steps", "l2"), [("official", 3500, 300, 0.0), ("paper", 7000, 400, 0.03)]
)
def test_din_looks_at_the_items_of_the_candidates_topic(
    variant: str, count: int, steps: int, l2: float
) -> None:
    found = histories((*row, topic_of(row[1])) for row in rows("train", count, 0))
    config = DINConfig(
        items=len(found.catalogue),
        values=len(found.catalogue.values),
        embed_dim=8,
        attention_dim=32,
        hidden_dim=32,
        second_dim=16,
        variant=variant,
    )
    model = DIN(config, features_of(found.catalogue))
    predictor = Recommender(model, found.catalogue, longest=30)
    task = Recommend(predictor, leave_one_out(found), batch_tokens=1024, l2=l2)
    assert share_on_the_candidates_topic(task) < 0.75
    learn(task, steps)
    assert share_on_the_candidates_topic(task) >= 0.95


def test_a_learned_query_finds_the_one_item_that_tells_what_comes_next() -> None:
    rng = torch.Generator().manual_seed(0)

    def batch(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        told = torch.randint(SIGNAL, (count,), generator=rng)
        past = torch.randint(2 + SIGNAL, 2 + SIGNAL + NOISE, (count, 12), generator=rng)
        place = torch.randint(12, (count,), generator=rng)
        past[torch.arange(count), place] = 2 + told
        return past, place, 2 + (told + 1) % SIGNAL

    items = 2 + SIGNAL + NOISE
    config = YouTubeDNNConfig(items=items, embed_dim=32, layers=2, pool="attention", samples=20)
    model = YouTubeDNN(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        past, _, target = batch(64)
        optimizer.zero_grad()
        model.nats(past, None, target[:, None]).mean().backward()
        optimizer.step()
    past, place, target = batch(500)
    with torch.no_grad():
        weights = model.eval().look(past, None, target[:, None])[:, 0]
        assert (model.retrieve(past, None, 1).items[:, 0] == target).float().mean() > 0.95
    assert (weights.argmax(1) == place).float().mean() >= 0.95
