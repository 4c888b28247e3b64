"""Translation, or any other text to text: pairs to learn from, BLEU and chrF to judge by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard._io.extra import extra
from regard.data.encoding.examples import Examples, Reader, encoded
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.feeding.batching import by_tokens
from regard.data.feeding.feed import Part
from regard.tasks.exchange import save_model
from regard.tasks.pairs import Pairs, pair_loss, pair_nats, shown, write
from regard.tasks.task import Answer, Record

SOURCE, TARGET = "tokenizer.json", "target_tokenizer.json"
EXAMINED_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Translator:
    """A model that reads one language and writes another, with the tokenizers of both.

    Args:
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
        about: further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    source: Tokenizer
    target: Tokenizer
    length_penalty: float = 0.6
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """Translate texts, with `beams` answers at most for each and the alignment of the best.

        Raises `ValueError` for an empty text.
        """
        empty = [number for number, text in enumerate(texts) if not text.strip()]
        if empty:
            raise ValueError(f"text {empty[0] + 1} of {len(texts)} is empty; give a sentence")
        sources = self.source.encode(texts)
        found = self.write(sources, beams)
        return [
            shown(self.model, text, row.tolist(), answers, self.source, self.target)
            for text, row, answers in zip(texts, sources, found, strict=True)
        ]

    def write(self, sources: Ragged, beams: int = 1) -> list[Any]:
        """The answers to encoded texts, best first."""
        penalty = self.length_penalty if beams > 1 else None
        return write(self.model, sources, self.target, None, beams, penalty)

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        self.source.save(folder / SOURCE)
        others = [SOURCE]
        if self.target is not self.source:
            self.target.save(folder / TARGET)
            others.append(TARGET)
        about = {"task": "translate", "length_penalty": self.length_penalty, **self.about}
        save_model(folder, self.model, weights, about, others)


def load_tokenizers(folder: Path) -> tuple[Tokenizer, Tokenizer]:
    """The two tokenizers of a folder; one of both languages is the same object twice."""
    source = Tokenizer.load(folder / SOURCE)
    if not (folder / TARGET).exists():
        return source, source
    return source, Tokenizer.load(folder / TARGET)


class Translate:
    """The task: learn from pairs.

    Args:
        predictor: the model and its tokenizers.
        examples: token numbers of each split, columns source and target.
        texts: the splits as they were written, with columns `source` and `target`.
        batch_tokens: cells of a micro-batch, padding included, both languages together.
        smoothing: of the labels.

    Set `stream` to train on examples that are not in memory (see `Streamed`).
    """

    name, metric = "translate", "bleu"

    def __init__(
        self,
        predictor: Translator,
        examples: Mapping[str, Examples],
        texts: Mapping[str, Any],
        *,
        batch_tokens: int = 4096,
        smoothing: float = 0.1,
        fixed: int = 4,
    ) -> None:
        self.predictor, self.examples, self.texts = predictor, examples, texts
        self.batch_tokens, self.smoothing = batch_tokens, smoothing
        self.stream: Callable[[int], Part] | None = None
        rows = texts["valid"][:fixed] if "valid" in texts else {"source": [], "target": []}
        self.fixed = list(zip(rows["source"], rows["target"], strict=True))

    def part(self, epoch: int) -> Part:
        if self.stream is not None:
            return self.stream(epoch)
        return _Part(self.examples["train"], self.predictor.target)

    def encoded(self, rows: Sequence[Mapping[str, str]], longest: int) -> Part:
        """Pairs as they come from a stream, those that are not too long."""
        readers: dict[str, Reader] = {
            "source": self.predictor.source,
            "target": self.predictor.target,
        }
        return _Part(encoded(rows, readers, longest), self.predictor.target)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return by_tokens(lengths, self.batch_tokens, rng)

    def loss(self, batch: Pairs) -> Float[Tensor, ""]:
        return pair_loss(self.predictor.model, batch, self.smoothing)

    def size(self, split: str) -> int:
        return len(self.examples[split]) if split in self.examples else 0

    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each pair: the answer, and how many nats the wanted one costs."""
        examples, model = self.examples[split], self.predictor.model
        device = model.output.weight.device
        sources, targets = examples.take(rows)
        found = self.predictor.write(sources, beams)
        nats = torch.zeros(len(rows))
        order = np.argsort(sources.lengths, kind="stable")
        for start in range(0, len(rows), EXAMINED_AT_ONCE):
            some = order[start : start + EXAMINED_AT_ONCE]
            batch = Pairs.of(sources.take(some), targets.take(some), self.predictor.target)
            nats[torch.from_numpy(some)] = pair_nats(model, batch.to(device)).cpu()
        return [
            {
                "answer": self.predictor.target.decode(answers[0].tokens),
                "nats": cost,
                "labels": int(length) + 1,
            }
            for answers, cost, length in zip(found, nats.tolist(), targets.lengths, strict=True)
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, and sacreBLEU and chrF of the answers, cased."""
        loss = sum(r["nats"] for r in records) / sum(r["labels"] for r in records)
        answers = [r["answer"] for r in records]
        return {
            "loss": loss,
            "perplexity": float(np.exp(min(loss, 700.0))),
            **text_scores(answers, list(self.texts[split]["target"])),
        }


def text_scores(answers: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF of detokenized texts as sacrebleu defines them; BLEU without case too.

    >>> text_scores(["the cat sat on the mat"], ["the cat sat on the mat"])["bleu"]
    100.0
    """
    sacrebleu = extra("sacrebleu")
    references = [list(wanted)]
    lowercase = sacrebleu.corpus_bleu(list(answers), references, lowercase=True).score
    return {
        "bleu": round(sacrebleu.corpus_bleu(list(answers), references).score, 4),
        "chrf": round(sacrebleu.corpus_chrf(list(answers), references).score, 4),
        "bleu_lowercase": round(lowercase, 4),
    }


@dataclass(frozen=True, eq=False)
class _Part:
    """The training pairs, one epoch like another."""

    examples: Examples
    coder: Tokenizer

    @property
    def lengths(self) -> np.ndarray:
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Pairs:
        sources, targets = self.examples.take(rows)
        return Pairs.of(sources, targets, self.coder)
