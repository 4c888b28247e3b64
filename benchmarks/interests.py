"""What does it bring to look at a user's past with the candidate in mind?

DIN as in its authors' code and as in the paper, the same networks with mean pooling, and YouTube's
candidate generator, on generated users with several interests or on an interaction file: leave one
out, all items ranked (a sample of 100 where there are more than 10,000). The best of `--epochs` by
NDCG on the validation items is tested. A row that is there already is not made again; in those of
2026-11-21 the learning rate fell along a line instead of a cosine.

    python -m benchmarks.interests [--seeds 0,1,2] [--data FILE] [--events 30000] [--epochs 12]
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, finished_run
from regard import Run
from regard.data.encoding.histories import histories, leave_one_out
from regard.data.synthetic.interests import interaction_rows, topic_of
from regard.sequences import Sequences

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
