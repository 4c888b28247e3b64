"""What do the recipes of `regard train` reach on data that everybody knows, and in what time?

Multi30k (English to German, cased detokenized sacreBLEU on `test_2016_flickr`) for the Transformer
and RNNsearch; the characters of tinyshakespeare (validation loss in nats) for a small GPT. A run
that is there already is not made again, so the script can be stopped and started.

    python -m benchmarks.recipes --pairs MULTI30K_FOLDER --text INPUT.TXT [--out runs/recipes]
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.measure import save
from regard.cli import main as regard

RECIPES = (("translate", "pairs"), ("rnnsearch", "pairs"), ("characters", "text"))


def row(recipe: str, folder: Path) -> dict[str, Any]:
    """What a finished run has to say, in one line of the table."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kinds = {kind: [line for line in lines if line["kind"] == kind] for kind in ("train", "valid")}
    metric = "bleu" if recipe != "characters" else "loss"
    choose = max if metric == "bleu" else min
    best = choose(kinds["valid"], key=lambda line: line[metric])
    environment = json.loads((folder / "environment.json").read_text())
    pace = [line["tokens_per_second"] for line in kinds["train"]]
    found = {
        "recipe": recipe,
        "parameters": environment["parameters"],
        "threads": environment["threads"],
        "steps": lines[-1]["step"],
        "epochs": kinds["train"][-1]["epoch"],
        "train_seconds": kinds["train"][-1]["seconds"],
        "tokens_per_second": sorted(pace)[len(pace) // 2],
        "padding": sum(line["padding"] for line in kinds["train"]) / len(pace),
        "valid_curve": [[line["seconds"], line[metric]] for line in kinds["valid"]],
        f"best_valid_{metric}": best[metric],
    }
    tests = [line for line in lines if line["kind"] == "test"]
    kept = ("loss", "perplexity", "bleu", "chrf", "bleu_lowercase")
    return found | {f"test_{k}": v for test in tests[-1:] for k, v in test.items() if k in kept}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()
    rows = []
    for recipe, data in RECIPES:
        folder = options.out / recipe
        given = ["train", recipe, "--data", str(getattr(options, data)), "--out", str(folder)]
        if regard([*given, "--threads", "1"]):
            raise SystemExit(f"{recipe} did not finish; start again to go on")
        rows.append(row(recipe, folder))
        print({key: value for key, value in rows[-1].items() if key != "valid_curve"}, flush=True)
    print(save("recipes", rows))


if __name__ == "__main__":
    main()
