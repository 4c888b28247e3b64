"""What does attention between two sentences bring? BCNN and the three ABCNNs on pairs made here.

20 000 pairs, half of which mean the same; half of the others are the same words with agent and
patient swapped, which no bag of words can tell. Each network is trained by the recipe `abcnn`, as a
user would; the test part is asked once. A row that is there already is not made again, and a run
that was stopped goes on, so the script can be run in pieces.

    python -m benchmarks.matching [--seeds 0,1,2] [--only both] [--set epochs=5]
"""

import argparse
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, curve, facts, finished_run

NAMES = {"none": "BCNN", "input": "ABCNN-1", "pooling": "ABCNN-2", "both": "ABCNN-3"}
METRICS = ("accuracy", "f1", "map", "mrr", "loss")


def row(attention: str, seed: int, out: Path, more: list[str]) -> dict[str, Any]:
    """Train one network, or finish doing so, and read what its run has to say."""
    run = finished_run(
        None,
        out / f"{attention}-{seed}",
        recipe="abcnn",
        attention=attention,
        seed=seed,
        **assignments(more),
    )
    return {
        "model": NAMES[attention],
        "attention": attention,
        "seed": seed,
        "changes": more,
        **facts(run),
        "best_valid_accuracy": run.metrics["valid"]["accuracy"],
        "valid_curve": [[at, round(share, 4)] for at, share in curve(run, "accuracy", "step")],
        **{f"test_{name}": run.metrics["test"][name] for name in METRICS},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread over the seeds, in percent."""
    lines = [f"{'':9} {'accuracy':>14} {'MAP':>14} {'MRR':>14}"]
    for name in dict.fromkeys(row["model"] for row in rows):
        cells = []
        for key in ("test_accuracy", "test_map", "test_mrr"):
            found = [100 * row[key] for row in rows if row["model"] == name]
            cells.append(f"{mean(found):5.1f} ± {pstdev(found):3.1f} ({len(found)})")
        lines.append(f"{name:9} {' '.join(cell.rjust(14) for cell in cells)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="one kind of attention")
    parser.add_argument("--out", type=Path, default=Path("runs/matching"))
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("matching")
    for seed in map(int, options.seeds.split(",")):
        for attention in NAMES:
            known = any((r["attention"], r["seed"]) == (attention, seed) for r in rows)
            if known or options.only not in ("", attention):
                continue
            rows.append(row(attention, seed, options.out, options.set))
            save("matching", rows)
            print({k: v for k, v in rows[-1].items() if k != "valid_curve"}, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
