"""From what should a network answer: the last state, the mean of all, or where attention looks?

Sentence polarity (Pang & Lee 2005): 10 662 sentences of film reviews, half of them positive, in a
split of 80/10/10 that depends on each sentence alone. The LSTM's ways of pooling, the CNN's, and
beside them two bags of words: naive Bayes and a linear model. Networks are trained by
`regard.train` with the recipes `lstm` and `cnn`; the epoch is chosen on the validation part, the
test part is asked once. A row that is there already is not made again, so the script can be stopped
and started.

    python -m benchmarks.pooling --data SENTENCE_POLARITY_FOLDER [--seeds 0,1,2] [--only lstm]

References:
    Pang & Lee. Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with
    Respect to Rating Scales. 2005. https://aclanthology.org/P05-1015
    Wang & Manning. Baselines and Bigrams: Simple, Good Sentiment and Topic Classification. 2012.
    https://aclanthology.org/P12-2018
"""

import argparse
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, curve, facts, finished_run

FILES = {"positive": "rt-polarity.pos", "negative": "rt-polarity.neg"}
PARTS = ("train",) * 8 + ("valid", "test")
NETWORKS = {
    "lstm last": ("lstm", "last"),
    "lstm mean": ("lstm", "mean"),
    "lstm attention": ("lstm", "attention"),
    "lstm hard, reinforce": ("lstm", "hard(estimator=reinforce)"),
    "lstm hard, gumbel": ("lstm", "hard(estimator=gumbel)"),
    "cnn max": ("cnn", "max"),
    "cnn mean": ("cnn", "mean"),
    "cnn attention": ("cnn", "attention(attention_dim=64)"),
    "cnn guided": ("cnn", "guided"),
}
"""Name of the row → the network, which is also its recipe, and its pooling."""

Texts = dict[str, list[tuple[str, str]]]


def read(folder: Path) -> Texts:
    """Sentences and labels of each part; a sentence that was written twice stands in one part."""
    parts: Texts = {"train": [], "valid": [], "test": []}
    for label, name in FILES.items():
        # Not splitlines: Latin-1 texts hold characters that it takes for the end of a line.
        for line in (folder / name).read_text("latin-1").split("\n"):
            if text := line.strip():
                draw = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
                parts[PARTS[draw % 10]].append((text, label))
    return parts


def write(parts: Texts, folder: Path) -> Path:
    """The parts as files that `regard.train` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


class Counts:
    """Which words of the training part stand in a text, and whether it is positive."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        words = sorted({word for text, _ in rows for word in text.split()})
        self.number = {word: number for number, word in enumerate(words)}

    def __call__(self, rows: list[tuple[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = {
            (row, self.number[word])
            for row, (text, _) in enumerate(rows)
            for word in text.split()
            if word in self.number
        }
        place = torch.tensor(sorted(pairs)).T
        shape = (len(rows), len(self.number))
        there = torch.sparse_coo_tensor(
            place, torch.ones(place.shape[1]), shape, check_invariants=True
        ).coalesce()
        return there, torch.tensor([float(label == "positive") for _, label in rows])


def ratios(there: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """The evidence of each word, `log p(word | positive) / p(word | negative)`, smoothed by 1."""
    positive, negative = 1 + there.mT @ label, 1 + there.mT @ (1 - label)
    return (positive / positive.sum()).log() - (negative / negative.sum()).log()


def accuracy(logits: torch.Tensor, label: torch.Tensor) -> float:
    return ((logits > 0) == label.bool()).double().mean().item()


def naive_bayes(parts: Texts) -> dict[str, Any]:
    """Multinomial naive Bayes on the words that are there."""
    counts = Counts(parts["train"])
    there, label = counts(parts["train"])
    evidence, prior = ratios(there, label), (label.mean() / (1 - label.mean())).log()
    found = {p: accuracy(x @ evidence + prior, y) for p, (x, y) in each(counts, parts).items()}
    return {"best_valid_accuracy": found["valid"], "test_accuracy": found["test"]}


def linear(parts: Texts, seed: int, passes: int = 200) -> dict[str, Any]:
    """Logistic regression on the same; weight decay and pass are chosen on the validation part."""
    counts = Counts(parts["train"])
    known = each(counts, parts)
    there, label = known["train"]
    best = {"best_valid_accuracy": 0.0}
    for decay in (1e-5, 1e-4, 1e-3):
        torch.manual_seed(seed)
        weight, bias = torch.zeros(len(counts.number), requires_grad=True), torch.zeros(1)
        bias.requires_grad_()
        optimizer = torch.optim.Adam([weight, bias], 0.02)
        for number in range(passes):
            loss = binary_cross_entropy_with_logits(there @ weight + bias, label)
            optimizer.zero_grad()
            (loss + decay * weight.square().sum()).backward()
            optimizer.step()
            with torch.no_grad():
                found = {p: accuracy(x @ weight + bias, y) for p, (x, y) in known.items()}
            if number % 5 == 4 and found["valid"] > best["best_valid_accuracy"]:
                best = {"best_valid_accuracy": found["valid"], "test_accuracy": found["test"]}
                best |= {"weight_decay": decay, "passes": number + 1}
    return best


def each(counts: Counts, parts: Texts) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return {part: counts(rows) for part, rows in parts.items()}


def network(name: str, seed: int, data: Path, out: Path, more: list[str]) -> dict[str, Any]:
    """Train one network by its recipe and read what its run has to say."""
    recipe, pooling = NETWORKS[name]
    run = finished_run(
        data,
        out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}",
        recipe=recipe,
        pooling=pooling,
        seed=seed,
        **assignments(more),
    )
    return {
        "best_valid_accuracy": run.metrics["valid"]["accuracy"],
        "test_accuracy": run.metrics["test"]["accuracy"],
        "valid_curve": [round(share, 4) for _, share in curve(run, "accuracy", "step")],
        **facts(run),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread over the seeds."""
    lines = [f"{'':24}  valid          test"]
    for name in dict.fromkeys(row["model"] for row in rows):
        cells = []
        for key in ("best_valid_accuracy", "test_accuracy"):
            found = [100 * row[key] for row in rows if row["model"] == name]
            cells.append(f"{np.mean(found):5.1f} ± {np.std(found):3.1f} ({len(found)})")
        lines.append(f"{name:24}  {'  '.join(cells)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="rows whose name begins so")
    parser.add_argument("--out", type=Path, default=Path("runs/pooling"))
    parser.add_argument("--set", action="append", default=[], help="for every network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = read(options.data)
    data = write(parts, options.out / "data")
    rows = rows_of("pooling")
    for seed in map(int, options.seeds.split(",")):
        for name in ("naive bayes", "linear model", *NETWORKS):
            made = any((row["model"], row["seed"]) == (name, seed) for row in rows)
            if made or not name.startswith(options.only):
                continue
            if name == "naive bayes":
                found = naive_bayes(parts)
            elif name == "linear model":
                found = linear(parts, seed)
            else:
                found = network(name, seed, data, options.out, options.set)
            rows.append({"model": name, "seed": seed} | found)
            save("pooling", rows, sizes={part: len(texts) for part, texts in parts.items()})
            print(rows[-1], flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
