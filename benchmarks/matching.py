"""What does attention between two sentences bring? BCNN and the three ABCNNs on pairs made here.

20 000 pairs, half of which mean the same; half of the others are the same words with agent and
patient swapped, which no bag of words can tell. Each network is trained by `regard train match`, as
a user would; the test part is asked once. A row that is there already is not made again, and a run
that was stopped goes on, so the script can be run in pieces.

    python -m benchmarks.matching [--seeds 0,1,2] [--only both] [--set epochs=5]
"""

import argparse
import json
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from benchmarks.measure import RESULTS, save
from regard.cli import main as regard

NAMES = {"none": "BCNN", "input": "ABCNN-1", "pooling": "ABCNN-2", "both": "ABCNN-3"}
METRICS = ("accuracy", "f1", "map", "mrr", "loss")


def row(attention: str, seed: int, out: Path, more: list[str]) -> dict[str, Any]:
    """Train one network, or finish doing so, and read what its run has to say."""
    folder = out / f"{attention}-{seed}"
    sets = [f"attention={attention}", f"seed={seed}", *more]
    asked = ["train", "match", "--out", str(folder), "--threads", "1"]
    if regard([*asked, *(part for one in sets for part in ("--set", one))]):
        raise SystemExit(f"{folder} did not finish; start again to go on")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kinds = {kind: [x for x in lines if x["kind"] == kind] for kind in ("train", "valid", "test")}
    return {
        "model": NAMES[attention],
        "attention": attention,
        "seed": seed,
        "changes": more,
        "parameters": json.loads((folder / "environment.json").read_text())["parameters"],
        "epochs": kinds["train"][-1]["epoch"],
        "train_seconds": kinds["train"][-1]["seconds"],
        "best_valid_accuracy": max(line["accuracy"] for line in kinds["valid"]),
        "valid_curve": [[line["step"], round(line["accuracy"], 4)] for line in kinds["valid"]],
        **{f"test_{name}": kinds["test"][-1][name] for name in METRICS},
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
    path = RESULTS / "matching.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
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
