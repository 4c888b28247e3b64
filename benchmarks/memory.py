"""How many questions do memory networks get wrong, for each kind of story, with 1, 2 and 3 hops?

The recipe `memory` on drawn stories: 1 000 questions to learn from, as bAbI's "en", 200 to choose
the best epoch by, 1 000 to count errors on. Every seed is reported, none is chosen. Beside it, what
`hard` attention makes of the first two kinds, learned by REINFORCE and by Gumbel-softmax. A row
that is in the results already is not made again, so the script can be stopped and started.

    python -m benchmarks.memory [--kinds qa1,qa2] [--hops 1,2,3] [--seeds 0,1,2] [--questions 10000]
"""

import argparse
import json
import tempfile
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, finished_run
from regard.data.synthetic.stories import STORY_KINDS, story_rows

COLUMNS = ("story", "question", "answer", "support")
KEY = ("kind", "questions", "hops", "attention", "seed")
HARD = (("qa1", 1), ("qa2", 2))
ATTENTION = {
    "soft": "soft",
    "hard, reinforce": "hard(estimator=reinforce)",
    "hard, gumbel": "hard(estimator=gumbel)",
}
"""What a row says → the setting."""


def planned(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What tells the rows apart, for all of them."""
    seeds = [int(seed) for seed in options.seeds.split(",")]
    hops = [int(count) for count in options.hops.split(",")]
    kinds = options.kinds.split(",")
    soft = product(kinds, hops, ["soft"], seeds)
    learned = [
        (kind, count, f"hard, {by}", seed)
        for (kind, count), by, seed in product(HARD, ("reinforce", "gumbel"), seeds)
        if kind in kinds and options.questions == 1000
    ]
    return [
        dict(zip(KEY, (kind, options.questions, count, attention, seed), strict=True))
        for kind, count, attention, seed in [*soft, *learned]
    ]


def data(key: dict[str, Any], folder: Path) -> str:
    """Where the stories are: made while they are read, or for another number, in files."""
    if key["questions"] == 1000:
        return f"synthetic:{key['kind']}"
    for split, count in (("train", key["questions"]), ("valid", 500), ("test", 1000)):
        drawn = (
            dict(zip(COLUMNS, row, strict=True)) for row in story_rows(split, count, 0, key["kind"])
        )
        lines = "".join(json.dumps(row) + "\n" for row in drawn)
        (folder / f"{split}.jsonl").write_text(lines)
    return str(folder)


def row(key: dict[str, Any], epochs: float, more: list[str]) -> dict[str, Any]:
    """Train once, and say how it went."""
    with tempfile.TemporaryDirectory() as place:
        stories = Path(place) / "stories"
        stories.mkdir()
        run = finished_run(
            data(key, stories),
            Path(place) / "run",
            recipe="memory",
            hops=key["hops"],
            attention=ATTENTION[key["attention"]],
            seed=key["seed"],
            **{"epochs": epochs, **assignments(more)},
        )
        test = run.metrics["test"]
    found = {name: test[name] for name in ("error", "pointing", "loss")}
    return key | found | {"epochs": epochs, "train_seconds": test["seconds"]}


def table(done: list[dict[str, Any]]) -> list[str]:
    """The mean error of every kind, and that of each seed."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in done:
        groups.setdefault(tuple(row[name] for name in KEY[:-1]), []).append(100 * row["error"])
    return [
        f"{kind} {questions:,} questions, {hops} hops, {attention}: "
        f"{mean(errors):.1f} % ({', '.join(f'{error:.1f}' for error in errors)})"
        for (kind, questions, hops, attention), errors in sorted(groups.items())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(STORY_KINDS))
    parser.add_argument("--hops", default="1,2,3")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--epochs", type=float, default=100.0)
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = rows_of("memory")
    for key in planned(options):
        if any(all(known[name] == key[name] for name in KEY) for known in done):
            continue
        done.append(row(key, options.epochs, options.set))
        save("memory", done)
        print(done[-1], flush=True)
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
