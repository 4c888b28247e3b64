"""What do the recipes reach on data that everybody knows, and in what time?

Multi30k (English to German, cased detokenized sacreBLEU on `test_2016_flickr`) for the Transformer
and RNNsearch; the characters of tinyshakespeare (validation loss in nats) for a small GPT. A row
that is there already is not made again, and a run that was stopped goes on.

    python -m benchmarks.recipes --pairs MULTI30K_FOLDER --text INPUT.TXT [--out runs/recipes]
"""

import argparse
from pathlib import Path
from statistics import median_high
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, curve, facts, finished_run
from regard import Run

RECIPES = {
    "translate": ("transformer", "pairs"),
    "rnnsearch": ("rnnsearch", "pairs"),
    "characters": ("transformer_lm", "text"),
}
"""Name of the row → recipe, and the data it is followed on."""

QUESTION = "what the recipes reach on Multi30k (en-de, test_2016_flickr) and tinyshakespeare"


def row(name: str, run: Run) -> dict[str, Any]:
    """What a finished run has to say, in one line of the table."""
    metric = "loss" if name == "characters" else "bleu"
    trained = [line for line in run.history if line["kind"] == "train"]
    kept = ("loss", "perplexity", "bleu", "chrf", "bleu_lowercase")
    tested = run.metrics.get("test", {})
    return {
        "recipe": name,
        **facts(run),
        "threads": torch.get_num_threads(),
        "steps": run.history[-1]["step"],
        "tokens_per_second": median_high(line["tokens_per_second"] for line in trained),
        "padding": sum(line["padding"] for line in trained) / len(trained),
        "valid_curve": curve(run, metric, "seconds"),
        f"best_valid_{metric}": run.metrics["valid"][metric],
        **{f"test_{key}": tested[key] for key in kept if key in tested},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--set", action="append", default=[], help="for every recipe")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("recipes")
    for name, (recipe, data) in RECIPES.items():
        if any(row["recipe"] == name for row in rows):
            continue
        settings = assignments(options.set)
        path = getattr(options, data)
        rows.append(row(name, finished_run(path, options.out / name, recipe=recipe, **settings)))
        print({key: value for key, value in rows[-1].items() if key != "valid_curve"}, flush=True)
        save("recipes", rows, question=QUESTION)


if __name__ == "__main__":
    main()
