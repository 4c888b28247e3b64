"""Does a document's structure help? Film reviews read sentence by sentence and in one row.

The hierarchical attention network (with attention on both levels, and with means), and one GRU over
the whole document with attention over all words, or with their mean: accuracy on the reviews
`cv7..` of the polarity data (Pang & Lee 2004), chosen by `cv6..`. A row that is there already is
not made again. In those of 2026-11-21 the learning rate fell along a line instead of a cosine.

    python -m benchmarks.documents --data REVIEWS.JSONL [--seeds 0,1,2] [--epochs 8]
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, curve, facts, finished_run

ATTENTION, MEAN = "attention(attention_dim=64)", "mean"
MODELS: dict[str, dict[str, Any]] = {
    "han": {"model": "han", "word_pooling": ATTENTION, "sentence_pooling": ATTENTION},
    "han, words only": {"model": "han", "word_pooling": ATTENTION, "sentence_pooling": MEAN},
    "han, means": {"model": "han", "word_pooling": MEAN, "sentence_pooling": MEAN},
    "flat attention": {"model": "lstm", "cell": "gru", "pooling": ATTENTION},
    "flat mean": {"model": "lstm", "cell": "gru", "pooling": MEAN},
}
SETTINGS: dict[str, Any] = {
    "embed_dim": 64,
    "hidden_dim": 32,
    "dropout": 0.5,
    "word_dropout": 0.2,
    "tokens": {"kind": "words", "size": 16_091},
    "sentences": True,
    "longest": 4096,
    "batch_tokens": 8192,
    "learning_rate": 2e-3,
    "weight_decay": 1e-4,
    "warmup": 0.05,
    "patience": 0,
}


def parts(reviews: Path, folder: Path) -> Path:
    """The reviews in their three parts, as files that `regard.train` reads."""
    lines: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for line in reviews.read_text("utf-8").splitlines():
        entry = json.loads(line)
        part = {"cv7": "test", "cv6": "valid"}.get(entry["id"].split("/")[-1][:3], "train")
        label = "positive" if str(entry["label"]) in ("pos", "positive", "1") else "negative"
        lines[part].append(json.dumps({"text": entry["text"], "label": label}))
    folder.mkdir(parents=True, exist_ok=True)
    for part, found in lines.items():
        (folder / f"{part}.jsonl").write_text("\n".join(found) + "\n", "utf-8")
    return folder


def row(name: str, seed: int, data: Path, out: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Train, and read what the run has to say."""
    folder = out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    processor = time.process_time()
    run = finished_run(data, folder, seed=seed, **SETTINGS, **MODELS[name], **more)
    used = time.process_time() - processor
    return {
        "model": name,
        "seed": seed,
        "valid": run.metrics["valid"]["accuracy"],
        "test": run.metrics["test"]["accuracy"],
        "valid_curve": [share for _, share in curve(run, "accuracy", "step")],
        "parameters": facts(run)["parameters"],
        "processor_seconds": used,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--models", default=";".join(MODELS))
    parser.add_argument("--out", type=Path, default=Path("runs/documents"))
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = parts(options.data, options.out / "data")
    rows = rows_of("documents")
    there = {(row["model"], row["seed"], row["epochs"]) for row in rows}
    for seed in map(int, options.seeds.split(",")):
        for name in options.models.split(";"):
            if (name, seed, options.epochs) in there:
                continue
            more = {"epochs": options.epochs, **assignments(options.set)}
            rows.append({"epochs": options.epochs, **row(name, seed, data, options.out, more)})
            print({k: v for k, v in rows[-1].items() if k != "valid_curve"}, flush=True)
            save("documents", rows, settings=SETTINGS)


if __name__ == "__main__":
    main()
