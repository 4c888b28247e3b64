"""A task so small that an update takes a millisecond: the next number of a ragged row of numbers.

Rows can be poisoned, so that their loss is not a number, and be without labels.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from regard.config import Config, Count
from regard.layers import Halting, Stack, universal
from regard.models.weights import write_weights
from regard.tasks.batch import Batch
from regard.tasks.predictor import Answer, Predictor
from regard.tasks.task import Record, Task
from regard.training.config import TrainConfig

VOCAB, LONGEST = 11, 7


def numbers(count: int = 40, seed: int = 0) -> list[np.ndarray]:
    """Rows of 1 to 7 numbers, each the one before plus a step that is the row's own."""
    rng = np.random.default_rng(seed)
    starts, steps = rng.integers(0, VOCAB, (2, count))
    lengths = rng.integers(1, LONGEST + 1, count)
    return [
        (start + step * np.arange(length + 1)) % VOCAB
        for start, step, length in zip(starts, steps, lengths, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class TinyBatch(Batch):
    inputs: Tensor
    wanted: Tensor
    poisoned: bool = False

    @property
    def num_targets(self) -> int:
        return int((self.wanted >= 0).sum())

    @property
    def num_tokens(self) -> int:
        return int((self.inputs >= 0).sum())

    @property
    def num_padded_tokens(self) -> int:
        return self.inputs.numel()


@dataclass(frozen=True)
class TinyPart:
    rows: Sequence[np.ndarray]
    poison: Collection[int] = ()
    bare: Collection[int] = ()
    seen: list[list[int]] = field(default_factory=list)

    @property
    def lengths(self) -> np.ndarray:
        return np.array([[len(row) - 1] for row in self.rows])

    def batch(self, rows: np.ndarray) -> TinyBatch:
        self.seen.append(rows.tolist())
        width = max(len(self.rows[row]) for row in rows)
        cells = torch.full((len(rows), width), -1)
        for place, row in enumerate(rows):
            cells[place, : len(self.rows[row])] = torch.from_numpy(self.rows[row].copy())
        wanted = cells[:, 1:].clone()
        for place, row in enumerate(rows):
            if row in self.bare:
                wanted[place] = -1
        return TinyBatch(cells[:, :-1], wanted, any(row in self.poison for row in rows))


class Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.dropout = nn.Linear(width, width), nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: None = None) -> Tensor:
        return hidden + self.dropout(torch.tanh(self.inner(hidden)))


def stack(layers: str, dropout: float) -> Stack | Halting:
    """Two blocks, `one` of them twice, or `early`: one up to six times, each place as it likes."""
    if layers == "two":
        return Stack([Block(8, dropout) for _ in range(2)])
    block = Block(8, dropout)
    return Halting(universal(block, 6), 8) if layers == "early" else Stack.shared(block, 2)


class TinyModel(nn.Module):
    def __init__(self, dropout: float, layers: str) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 8)
        self.stack = stack(layers, dropout)
        self.output = nn.Linear(8, VOCAB)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.embed(inputs.clamp(min=0)).cumsum(1)
        return self.output(self.stack(hidden))


class TinyPredictor(Predictor):
    task = "tiny"

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model, None)

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        return [Answer(text, (("0", 0.0),)) for text in inputs]

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        write_weights(self.model, folder / "model.safetensors", weights)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> Any:
        raise NotImplementedError("there is nothing to load")


@dataclass(frozen=True, kw_only=True)
class TinySettings(Config):
    batch_tokens: Count = 16


class Tiny(Task):
    """The task; `poison` are rows whose loss is NaN, `bare` those without a label."""

    name, metric = "tiny", "loss"
    settings_type, predictor_type = TinySettings, TinyPredictor

    def __init__(
        self,
        poison: Collection[int] = (),
        bare: Collection[int] = (),
        dropout: float = 0.2,
        dtype: torch.dtype = torch.float32,
        count: int = 40,
        layers: str = "two",
    ) -> None:
        torch.manual_seed(0)
        self.predictor = TinyPredictor(TinyModel(dropout, layers).to(dtype))
        self.train = TinyPart(numbers(count), poison, bare)
        self.valid = TinyPart(numbers(12, seed=1))
        self.settings, self.stream, self.fixed = TinySettings(), None, self.shown(1)

    def part(self, epoch: int) -> TinyPart:
        return self.train

    def loss(self, batch: Any) -> Tensor:
        logits = self.predictor.model(batch.inputs)
        wanted = batch.wanted.flatten()
        total = nn.functional.cross_entropy(
            logits.flatten(0, 1), wanted, ignore_index=-1, reduction="sum"
        )
        return total * float("nan") if batch.poisoned else total

    def size(self, split: str) -> int:
        return len(self.valid.rows) if split == "valid" else 0

    def examine(self, split: str, rows: np.ndarray, num_answers: int = 1) -> list[Record]:
        return [record for row in rows for record in self.ask(split, np.array([row]), num_answers)]

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        batch = self.valid.batch(rows)
        return [{"nats": float(self.loss(batch)), "labels": batch.num_targets}]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        return {"loss": sum(r["nats"] for r in records) / sum(r["labels"] for r in records)}

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        return [("1 2 3", None)] * count

    @classmethod
    def learn(cls, corpus: Any, settings: Any) -> Any:
        raise NotImplementedError("there is no corpus to learn from")


def config(**named: Any) -> TrainConfig:
    """Three epochs, an evaluation every ten updates, no save by the clock."""
    usual: dict[str, Any] = {"epochs": 3.0, "evaluate_every": 10, "learning_rate": 1e-2}
    return TrainConfig(**{**usual, **named})
