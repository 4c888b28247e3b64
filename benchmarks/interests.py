"""What does it bring to look at a user's past with the candidate in mind?

DIN as in its authors' code and as in the paper, the same networks with mean pooling, and YouTube's
candidate generator, on generated users with several interests or on an interaction file: leave one
out, all items ranked (a sample of 100 where there are more than 10,000). The best of `--epochs` by
NDCG on the validation items is tested. A row that is there already is not made again; in those of
2026-11-21 the learning rate fell along a line instead of a cosine. On a file, two things that
nothing is trained for stand beside them: how often each item was chosen, and the items that the
same users chose, of as many neighbours as are best on the validation items.

    python -m benchmarks.interests [--seeds 0,1,2] [--data FILE] [--events 30000] [--epochs 12]
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, finished_run
from regard import Run
from regard.data.encoding.histories import histories, leave_one_out
from regard.data.synthetic.interests import interaction_rows, topic_of
from regard.sequences import Sequences
from regard.tasks.recommend.task import Recommend, RecommendSettings
from regard.tasks.task import Encoded

COLUMNS = ("user", "item", "rating", "timestamp")
PAPER = {
    "pooling": "attention(score=mlp(hidden_dims=(36,), variant=paper), normalizer=unnormalized)",
    "interest_layer": False,
    "item_bias": False,
}
YOUTUBE = {"model": "youtube_dnn", "layers": 3, "loss": "sampled_softmax(samples=500)"}
ROWS: dict[str, dict[str, Any]] = {
    "din official": {"model": "din"},
    "din paper": {"model": "din", **PAPER},
    "mean official": {"model": "din", "pooling": "mean"},
    "mean paper": {"model": "din", **PAPER, "pooling": "mean"},
    "youtube mean": {**YOUTUBE, "pooling": "mean"},
    "youtube attention": {**YOUTUBE, "pooling": "attention"},
}
SETTINGS: dict[str, Any] = {"embed_dim": 16, "clip": 5.0, "warmup": 0.0, "beta2": 0.999}
METRICS = ("loss", "ndcg", "hit_rate", "auc", "gauc")
UNTRAINED = ("ndcg", "hit_rate", "auc", "gauc")
"""Of what has no probabilities."""
NEIGHBOURS = (10, 20, 50, 100, 200, 500)
WHOLE = RecommendSettings(longest=10_000)
"""Histories are not cut."""


def generated(events: int, path: Path) -> Path:
    """So many events of generated users, as a file that `regard.train` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(interaction_rows("train", events, 0))
    return path


def pointing(run: Run, events: int) -> float:
    """How often the greatest weight, by its size, is on an item of the wanted item's topic."""
    catalogue, longest = run.predictor.coder.catalogue, run.predictor.coder.longest
    known = histories(interaction_rows("train", events, 0), catalogue=catalogue)
    part = leave_one_out(known)["test"]
    topics, right = np.array([topic_of(item) for item in catalogue.items]), []
    for number, target in enumerate(part.targets[:500]):
        past = part.take(np.array([number]), longest).values
        same = topics[past] == topics[target]
        if same.any() and not same.all():
            history, offered = Sequences(torch.tensor(past)[None]), torch.tensor([[int(target)]])
            weights = run.model.attention_weights(history, offered)[0, 0]
            right.append(same[int(weights.abs().argmax())])
    return float(np.mean(right))


class Popularity(nn.Module):
    """An item's score is how often it was chosen in training."""

    counts: Tensor

    def __init__(self, items: int, **_: Any) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(items))

    def fit(self, task: Recommend) -> None:
        """Count."""
        self.counts += torch.from_numpy(task.chosen.counts)

    def forward(self, history: Sequences, candidate: Tensor) -> Tensor:
        """The candidates' counts."""
        return self.counts[candidate]


class ItemNeighbours(nn.Module):
    """An item's score is how like it the items of the history are, `s_j = Σ_i cos(j, i)`.

    Two items are alike by the users who chose both, and an item `j` has so many neighbours; of
    scores that tie, that of the more frequent item is higher.

    References:
        Sarwar et al. Item-based collaborative filtering recommendation algorithms. 2001.
        https://doi.org/10.1145/371920.372071
    """

    alike: Tensor

    def __init__(self, items: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("alike", torch.zeros(items, items))

    def fit(self, task: Recommend) -> None:
        """Compare the users of every two items."""
        train = task.data.examples["train"]
        chosen = torch.zeros(int(train.users.max()) + 1, len(self.alike))
        chosen[train.users, train.targets] = 1
        chosen[train.users, train.values[train.starts]] = 1
        alike = chosen.T @ chosen
        counts = alike.diagonal().clone()
        alike /= (counts.outer(counts)).sqrt().clamp(min=1)
        alike.fill_diagonal_(0)
        best = alike.topk(min(self.neighbours, len(alike)), dim=1)
        self.alike.scatter_(1, best.indices, best.values)
        self.alike += 1e-9 * counts[:, None]

    def forward(self, history: Sequences, candidate: Tensor) -> Tensor:
        """The sums over the histories."""
        found = self.alike[candidate.unsqueeze(2), history.ids.unsqueeze(1)]
        return torch.where(history.real.unsqueeze(1), found, 0.0).sum(2)


def judged(data: Encoded, network: Any, split: str) -> dict[str, float]:
    """The metrics of a network that needs no training but counting."""
    task = Recommend(data, network, WHOLE)
    task.model.fit(task)
    records = task.ask(split, np.arange(task.size(split)), 1)
    return {metric: task.score(split, records)[metric] for metric in UNTRAINED}


def untrained(path: Path) -> list[dict[str, Any]]:
    """The rows of popularity and of neighbours."""
    data = Recommend.prepare(str(path), WHOLE)
    valid = {
        count: judged(data, lambda items, c=count, **_: ItemNeighbours(items, c), "valid")["ndcg"]
        for count in NEIGHBOURS
    }
    best = max(valid, key=valid.__getitem__)
    return [
        {"row": "popularity", **judged(data, Popularity, "test")},
        {
            "row": f"item neighbours, {best}",
            **judged(data, lambda items, **_: ItemNeighbours(items, best), "test"),
            "valid_ndcg": valid[best],
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=0.005)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--out", type=Path, default=Path("runs/interests"))
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = rows_of("interests")
    told = options.data.name if options.data else f"generated, {options.events} events"
    data = options.data or generated(options.events, options.out / f"{options.events}.csv")
    budget = {"epochs": options.epochs, "learning_rate": options.rate, "patience": 0}
    more = {**SETTINGS, **budget, **assignments(options.set)}
    if options.data and not any(row["row"] == "popularity" for row in done):
        done += [{"data": told, **row} for row in untrained(data)]
        save("interests", done)
    for seed in map(int, options.seeds.split(",")):
        for name in options.rows.split(","):
            key = {"data": told, "row": name, "seed": seed, "epochs": options.epochs}
            if any(key.items() <= row.items() for row in done):
                continue
            folder = options.out / f"{data.stem}-{name.replace(' ', '-')}-{seed}"
            run = finished_run(data, folder, task="recommend", seed=seed, **ROWS[name], **more)
            row = key | {metric: run.metrics["test"][metric] for metric in METRICS}
            row["valid_ndcg"] = run.metrics["valid"]["ndcg"]
            if not options.data and not name.startswith(("mean", "youtube")):
                row["pointing"] = pointing(run, options.events)
            done.append(row)
            save("interests", done)
            print(row, flush=True)


if __name__ == "__main__":
    main()
