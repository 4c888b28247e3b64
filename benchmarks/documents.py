"""Does a document's structure help? Film reviews read sentence by sentence and in one row.

The hierarchical attention network (with attention on both levels, and with means), the same GRU
over the whole document with attention over all words, and with their mean: accuracy on the reviews
`cv7..` of the polarity data (Pang & Lee 2004), chosen by `cv6..`. A run that is in the results is
not made again. The flat ones are a hierarchy of one level: `models/lstm` packs its texts, which on
documents of 750 words takes several times as long.

    python -m benchmarks.documents --data REVIEWS.JSONL [--seeds 0,1,2] [--epochs 8]
"""

import argparse
import json
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import RESULTS, save
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.feeding.batching import by_tokens
from regard.layers import AttentionPool, Dropout, Level, MeanPool
from regard.models.han import HAN, HANConfig
from regard.models.han.model import BothWays

SIZES: dict[str, Any] = {"embed_dim": 64, "hidden_dim": 32, "align_dim": 64}
NOISE: dict[str, Any] = {"dropout": 0.5, "word_dropout": 0.2}
LEAST_COUNT, CELLS, RATE, DECAY = 3, 8192, 2e-3, 1e-4
MODELS: dict[str, dict[str, str]] = {
    "han": {"words": "attention", "sentences": "attention"},
    "han, words only": {"words": "attention", "sentences": "mean"},
    "han, means": {"words": "mean", "sentences": "mean"},
    "flat attention": {"summary": "attention"},
    "flat mean": {"summary": "mean"},
}
Document = tuple[list[int], int]


def read(path: Path) -> tuple[Vocabulary, dict[str, list[Document]]]:
    """The reviews as numbers, `</s>` behind every line, in the three splits."""
    splits: dict[str, list[tuple[list[str], int]]] = {"train": [], "valid": [], "test": []}
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        kind = {"cv7": "test", "cv6": "valid"}.get(entry["id"].split("/")[-1][:3], "train")
        words = [w for s in entry["text"].split("\n") if s.strip() for w in [*s.split(), "</s>"]]
        splits[kind].append((words, int(str(entry["label"]) in ("pos", "positive", "1"))))
    counts = Counter(word for words, _ in splits["train"] for word in words)
    vocabulary = Vocabulary.build(word for word, n in counts.items() if n >= LEAST_COUNT)
    encoded = {
        split: [(vocabulary.encode(words), label) for words, label in rows]
        for split, rows in splits.items()
    }
    return vocabulary, encoded


def padded(rows: list[Document]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, lengths and labels."""
    lengths = torch.tensor([len(tokens) for tokens, _ in rows])
    source = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for row, (tokens, _) in enumerate(rows):
        source[row, : len(tokens)] = torch.tensor(tokens)
    return source, lengths, torch.tensor([label for _, label in rows])


class Flat(nn.Module):
    """One GRU in both directions over all words of a document, and one sum over its states."""

    def __init__(self, vocab: int, summary: str) -> None:
        super().__init__()
        width, dropout = 2 * SIZES["hidden_dim"], NOISE["dropout"]
        self.embedding = nn.Embedding(vocab, SIZES["embed_dim"])
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.dropout = Dropout(dropout)
        key = nn.Sequential(nn.Linear(width, SIZES["align_dim"]), nn.Tanh())
        pool = MeanPool() if summary == "mean" else AttentionPool(width, key=key)
        self.level = Level(BothWays(SIZES["embed_dim"], SIZES["hidden_dim"], dropout), pool)
        self.output = nn.Linear(width, 2)

    def forward(self, source: Tensor, lengths: Tensor) -> Tensor:
        words = source[torch.arange(source.shape[1]) < lengths.unsqueeze(1)]
        if self.training:
            lost = torch.rand(words.shape) < NOISE["word_dropout"]
            words = words.masked_fill(lost, 1)
        return self.output(self.level(self.dropout(self.embedding(words)), lengths))


def network(name: str, vocab: int) -> nn.Module:
    """One of the models, all of the same widths."""
    if "summary" in MODELS[name]:
        return Flat(vocab, **MODELS[name])
    return HAN(HANConfig(vocab=vocab, classes=2, **SIZES, **NOISE, **MODELS[name]))


@torch.no_grad()
def accuracy(model: nn.Module, rows: list[Document]) -> float:
    """The share of documents whose label is answered."""
    model.eval()
    rows, right = sorted(rows, key=lambda row: len(row[0])), 0
    for start in range(0, len(rows), 16):
        source, lengths, label = padded(rows[start : start + 16])
        right += int((model(source, lengths).argmax(1) == label).sum())
    return right / len(rows)


def run(name: str, seed: int, epochs: int, vocab: int, data: dict[str, Any]) -> dict[str, Any]:
    """Train, keep the weights that validated best, examine once."""
    torch.manual_seed(seed)
    model, rng, train = network(name, vocab), np.random.default_rng(seed), data["train"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    sizes = np.array([[len(tokens)] for tokens, _ in train])
    clock, curve, best, kept = time.process_time(), [], -1.0, model.state_dict()
    for epoch in range(epochs):
        plan = by_tokens(sizes, CELLS, rng)
        model.train()
        for number, rows in enumerate(plan):
            done = (epoch + number / len(plan)) / epochs
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, 20 * done, 1.25 * (1 - done))
            source, lengths, label = padded([train[row] for row in rows])
            optimizer.zero_grad()
            F.cross_entropy(model(source, lengths), label).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        curve.append(accuracy(model, data["valid"]))
        if curve[-1] > best:
            best, kept = curve[-1], deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return {
        "model": name,
        "seed": seed,
        "epochs": epochs,
        "valid": best,
        "test": accuracy(model, data["test"]),
        "valid_curve": curve,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "processor_seconds": time.process_time() - clock,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--models", default=";".join(MODELS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    vocabulary, data = read(options.data)
    path = RESULTS / "documents.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    there = {(row["model"], row["seed"], row["epochs"]) for row in rows}
    for seed in map(int, options.seeds.split(",")):
        for name in options.models.split(";"):
            if (name, seed, options.epochs) in there:
                continue
            rows.append(run(name, seed, options.epochs, len(vocabulary), data))
            print({k: v for k, v in rows[-1].items() if k != "valid_curve"}, flush=True)
            documents = {split: len(found) for split, found in data.items()}
            save(
                "documents", rows, vocab=len(vocabulary), documents=documents, sizes=SIZES, **NOISE
            )


if __name__ == "__main__":
    main()
