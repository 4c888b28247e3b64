"""What does it bring to look at a user's past with the candidate in mind?

DIN as in the paper and as in its authors' code, the same network with mean pooling, and YouTube's
candidate generator, on generated users with several interests or on an interaction file: leave one
out, all items ranked (a sample of 100 where there are more than 10,000). The best of `--epochs` by
NDCG on the validation items is tested. A row that is there already is not made again.

    python -m benchmarks.interests [--seeds 0,1,2] [--data FILE] [--events 30000] [--epochs 12]
"""

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import RESULTS, save
from regard.data.encoding.histories import Histories, histories, leave_one_out
from regard.data.reading.read import read
from regard.data.synthetic.interests import rows, topic_of
from regard.models.din import DIN, DINConfig
from regard.models.youtube_dnn import YouTubeDNN, YouTubeDNNConfig
from regard.tasks.recommend import Recommend
from regard.tasks.recommender import Recommender, features_of

EMBED_DIM, LONGEST, BATCH_TOKENS, L2 = 16, 50, 2048, 0.01
ROWS: dict[str, dict[str, str]] = {
    "din official": {"variant": "official"},
    "din paper": {"variant": "paper"},
    "mean official": {"variant": "official", "pool": "mean"},
    "mean paper": {"variant": "paper", "pool": "mean"},
    "youtube mean": {"pool": "mean"},
    "youtube attention": {"pool": "attention"},
}


def interactions(options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The rows of the file, or generated ones."""
    if not options.data:
        yield from rows("train", options.events, 0)
        return
    corpus = read(str(options.data), "recommend")
    for row in corpus.splits["train"]:
        yield tuple(row[name] for name in ("user", "item", "rating", "timestamp"))


def network(name: str, found: Histories) -> Any:
    """The network of a row, new."""
    items, features = len(found.catalogue), features_of(found.catalogue)
    sizes: dict[str, Any] = {"items": items, "embed_dim": EMBED_DIM, **ROWS[name]}
    if name.startswith("youtube"):
        return YouTubeDNN(YouTubeDNNConfig(samples=min(500, items), **sizes), features)
    sizes |= {"attention_dim": 36 if sizes["variant"] == "paper" else 80}
    return DIN(DINConfig(hidden_dim=64, second_dim=32, **sizes), features)


def trained(task: Recommend, epochs: int, rate: float, seed: int) -> dict[str, float]:
    """The test scores of the best epoch on the validation items; the rate falls to zero."""
    model, best, kept = task.predictor.model, -1.0, {}
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for epoch in range(epochs):
        part = task.part(epoch)
        plan = task.plan(part.lengths, np.random.default_rng([seed, epoch]))
        model.train()
        for number, picked in enumerate(plan):
            done = (epoch + number / len(plan)) / epochs
            optimizer.param_groups[0]["lr"] = rate * (1 - done)
            batch = part.batch(picked)
            optimizer.zero_grad()
            (task.loss(batch) / batch.labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
        value = asked(task, "valid")["ndcg"]
        if value > best:
            best, kept = value, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return asked(task, "test") | {"valid_ndcg": best}


def asked(task: Recommend, split: str) -> dict[str, float]:
    """The scores of a split."""
    task.predictor.model.eval()
    return task.score(split, task.examine(split, np.arange(task.size(split))))


def pointing(task: Recommend) -> float:
    """How often the greatest weight, by its size, is on an item of the wanted item's topic."""
    part, catalogue = task.examples["test"], task.predictor.catalogue
    topics, right = np.array([topic_of(item) for item in catalogue.items]), []
    for row, target in enumerate(part.targets[:500]):
        past = part.take(np.array([row]), LONGEST).values
        same = topics[past] == topics[target]
        if same.any() and not same.all():
            offered = torch.tensor([[int(target)]])
            with torch.no_grad():
                weights = task.predictor.model.look(torch.tensor(past)[None], None, offered)[0, 0]
            right.append(same[int(weights.abs().argmax())])
    return float(np.mean(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=0.005)
    parser.add_argument("--rows", default=",".join(ROWS))
    options = parser.parse_args()
    path = RESULTS / "interests.json"
    done = json.loads(path.read_text())["rows"] if path.exists() else []
    found = histories(interactions(options))
    told = options.data.name if options.data else f"generated, {options.events} events"
    for seed in map(int, options.seeds.split(",")):
        for name in options.rows.split(","):
            key = {"data": told, "row": name, "seed": seed, "epochs": options.epochs}
            if any(key.items() <= row.items() for row in done):
                continue
            torch.manual_seed(seed)
            predictor = Recommender(network(name, found), found.catalogue, longest=LONGEST)
            l2 = 0.0 if name.startswith("youtube") else L2
            examples = leave_one_out(found)
            task = Recommend(predictor, examples, batch_tokens=BATCH_TOKENS, l2=l2, seed=seed)
            row = key | trained(task, options.epochs, options.rate, seed)
            if not options.data and not name.startswith(("mean", "youtube")):
                row["pointing"] = pointing(task)
            done.append(row)
            save("interests", done)
            print(row, flush=True)


if __name__ == "__main__":
    main()
