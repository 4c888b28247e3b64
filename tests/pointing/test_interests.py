"""Recommenders look at the items of the past that tell what comes next."""

import numpy as np
import pytest
import torch

from regard.data.encoding.histories import histories, leave_one_out
from regard.data.synthetic.interests import interaction_rows, topic_of
from regard.models.din import DIN, DINConfig
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig
from regard.sequences import Sequences
from regard.tasks.recommend import Recommend, RecommendSettings, SampledSoftmax
from regard.tasks.recommend.coder import ItemCoder
from regard.tasks.task import Encoded
from tests.tasks.rows import learn

SIGNAL, NOISE = 8, 30
OFFICIAL = {"pooling": "attention(score=mlp(hidden_dims=(32, 16)))"}
PAPER = {
    "pooling": "attention(score=mlp(hidden_dims=(32,), variant=paper), normalizer=unnormalized)",
    "interest_layer": False,
    "item_bias": False,
}


def share_on_the_candidates_topic(task: Recommend) -> float:
    """How often the greatest weight, by its size, is on an item of the candidate's topic."""
    part, model = task.data.examples["test"], task.model
    topics = np.array([topic_of(item) for item in task.coder.catalogue.items])
    right = []
    for history, target in zip(part.take(np.arange(len(part))), part.targets, strict=True):
        same = topics[history] == topics[target]
        if same.any() and not same.all():
            past, offered = Sequences(torch.tensor(history)[None]), torch.tensor([[int(target)]])
            weights = model.attention_weights(past, offered)[0, 0]
            right.append(same[int(weights.abs().argmax())])
    assert len(right) > 100
    return float(np.mean(right))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "count", "steps", "l2"),
    [(OFFICIAL, 3500, 300, 0.0), (PAPER, 7000, 400, 0.03)],
    ids=["official", "paper"],
)
def test_din_looks_at_the_items_of_the_candidates_topic(
    variant: dict[str, object], count: int, steps: int, l2: float
) -> None:
    found = histories((*row, topic_of(row[1])) for row in interaction_rows("train", count, 0))
    coder = ItemCoder(found.catalogue, longest=30)
    decided = {name: coder.sizes[name] for name in DINConfig.from_data}
    sizes = {"embed_dim": 8, "hidden_dim": 32, "second_dim": 16}
    task = Recommend(
        Encoded(coder, leave_one_out(found), {}),
        DIN(DINConfig.from_entries(decided | sizes | variant)),
        RecommendSettings(batch_tokens=1024, l2=l2),
    )
    assert share_on_the_candidates_topic(task) < 0.75
    learn(task, steps)
    assert share_on_the_candidates_topic(task) >= 0.95


def test_a_learned_query_finds_the_one_item_that_tells_what_comes_next() -> None:
    rng = torch.Generator().manual_seed(0)

    def batch(count: int) -> tuple[Sequences, torch.Tensor, torch.Tensor]:
        told = torch.randint(SIGNAL, (count,), generator=rng)
        past = torch.randint(2 + SIGNAL, 2 + SIGNAL + NOISE, (count, 12), generator=rng)
        place = torch.randint(12, (count,), generator=rng)
        past[torch.arange(count), place] = 2 + told
        return Sequences(past), place, 2 + (told + 1) % SIGNAL

    items, loss = 2 + SIGNAL + NOISE, SampledSoftmax(samples=20)
    entries = {"items": items, "embed_dim": 32, "layers": 2, "pooling": "attention"}
    model = YouTubeDNN(YouTubeDNNConfig.from_entries(entries))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        past, _, target = batch(64)
        optimizer.zero_grad()
        loss.nll(model, past, target[:, None], 2).mean().backward()
        optimizer.step()
    past, place, target = batch(500)
    weights = model.eval().attention_weights(past, target[:, None])[:, 0]
    assert (model.retrieve(past, 1).items[:, 0] == target).float().mean() > 0.95
    assert (weights.argmax(1) == place).float().mean() >= 0.95
