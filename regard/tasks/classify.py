"""Classification of texts: a label to each, accuracy and F1 to judge by."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard._io.files import read_json, write_whole
from regard.data.encoding.documents import DocumentCoder
from regard.data.encoding.examples import Coder, Examples, Reader, encoded
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import END
from regard.data.feeding.batching import by_tokens
from regard.data.feeding.feed import Part
from regard.tasks.exchange import save_model
from regard.tasks.explorer import explored, learning_from
from regard.tasks.padding import padded
from regard.tasks.task import Answer, Record

TOKENIZER, LABELS = "tokenizer.json", "labels.json"
EXAMINED_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Labelled:
    """Texts and their labels; `lengths` is None where no text is padded."""

    source: Int[Tensor, "batch k_len"]
    lengths: Int[Tensor, " batch"] | None
    label: Int[Tensor, " batch"]

    @classmethod
    def of(cls, sources: Ragged, labels: np.ndarray, pad: int) -> "Labelled":
        """Pad token numbers."""
        return cls(*padded(sources, pad), torch.from_numpy(labels.astype(np.int64)))

    @property
    def labels(self) -> int:
        """Number of texts that have a label."""
        return int((self.label >= 0).sum())

    @property
    def tokens(self) -> int:
        """Tokens read."""
        return self.cells if self.lengths is None else int(self.lengths.sum())

    @property
    def cells(self) -> int:
        """The same with padding."""
        return self.source.numel()

    def to(self, device: torch.device) -> "Labelled":
        """The same batch on a device."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Labelled(self.source.to(device), lengths, self.label.to(device))


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model that labels texts, its tokenizer and the names of the labels.

    Args:
        longest: greatest number of tokens that are read of a text.
        sentences: mark the end of every sentence, for models that read documents.
        about: further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    longest: int = 512
    sentences: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def coder(self) -> Coder:
        """What reads the texts."""
        return DocumentCoder(self.tokenizer) if self.sentences else self.tokenizer

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """The label of each text and where the model looked; the `beams` likeliest labels.

        Raises `ValueError` for a text without a token.
        """
        sources = self.coder.encode(texts)
        for number, length in enumerate(sources.lengths):
            if not length:
                raise ValueError(f"text {number + 1} of {len(texts)} is empty; give a sentence")
        return [
            self._answer(text, row[: self.longest].tolist(), beams)
            for text, row in zip(texts, sources, strict=True)
        ]

    @torch.no_grad()
    def _answer(self, text: str, tokens: list[int], beams: int) -> Answer:
        source = torch.tensor([tokens], device=self.model.output.weight.device)
        scores = self.model(source).float().log_softmax(-1)[0].cpu()
        answers = likeliest(scores, self.labels, beams)
        inputs, weights = self.tokenizer.tokens(tokens), self.model.look(source)[0].float().cpu()
        if self.sentences:
            inputs, weights = by_sentence(inputs, weights)
        return Answer(
            text=text,
            answers=answers,
            inputs=tuple(inputs),
            outputs=(answers[0][0],),
            weights=weights.unsqueeze(0),
            unknown=tuple(self.tokenizer.unknown(text)),
        )

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        self.tokenizer.save(folder / TOKENIZER)
        save_labels(self.labels, folder)
        about = {
            "task": "classify",
            "longest": self.longest,
            "sentences": self.sentences,
            **self.about,
        }
        save_model(folder, self.model, weights, about, [TOKENIZER, LABELS])


def by_sentence(
    tokens: Sequence[str], weights: Float[Tensor, " k_len"]
) -> tuple[list[str], Float[Tensor, " sentences"]]:
    """Whole sentences, the token each was read for in brackets, and what its tokens weigh together.

    >>> by_sentence(["so", "bad", "</s>", "bye", "</s>"], torch.tensor([0.25, 0.5, 0, 0.25, 0]))
    (['so [bad]', '[bye]'], tensor([0.7500, 0.2500]))
    """
    sentences, sums, start = [], [], 0
    for stop in [*(place for place, token in enumerate(tokens) if token == END), len(tokens)]:
        some, shares = list(tokens[start:stop]), weights[start:stop]
        if some:
            strongest = int(shares.argmax())
            some[strongest] = f"[{some[strongest]}]"
            sentences.append(" ".join(some).replace(" ▁", " "))
            sums.append(float(shares.sum()))
        start = stop + 1
    return sentences, torch.tensor(sums)


def likeliest(
    scores: Float[Tensor, " classes"], names: Sequence[str], count: int
) -> tuple[tuple[str, float], ...]:
    """The best names and their log-probabilities, best first, one at least.

    >>> likeliest(torch.tensor([-2.0, -0.5, -1.0]), ("a", "b", "c"), 2)
    (('b', -0.5), ('c', -1.0))
    """
    best = scores.argsort(descending=True)[: max(1, count)].tolist()
    return tuple((names[place], float(scores[place])) for place in best)


def save_labels(labels: Sequence[str], folder: Path) -> None:
    """Write the names of the labels into a folder that exists."""
    write_whole(folder / LABELS, json.dumps(labels, ensure_ascii=False).encode())


def load_labels(folder: Path) -> tuple[str, ...]:
    """What `save_labels` wrote; raises `ValueError` when the file is damaged."""
    path = folder / LABELS
    try:
        names = read_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path} is not a list of names; copy the whole run folder again")
    return tuple(names)


class Classify:
    """The task: learn labels of texts.

    Args:
        predictor: the model, its tokenizer and the labels.
        examples: token numbers of each split and its labels, -1 for one that is not known.
        texts: the splits as they were written, with columns `text` and `label`.
        batch_tokens: cells of a micro-batch, padding included.
        smoothing: of the labels.

    Set `stream` to train on examples that are not in memory (see `Streamed`).
    """

    name, metric = "classify", "accuracy"

    def __init__(
        self,
        predictor: Classifier,
        examples: Mapping[str, Examples],
        texts: Mapping[str, Any],
        *,
        batch_tokens: int = 4096,
        smoothing: float = 0.0,
        fixed: int = 4,
    ) -> None:
        self.predictor, self.examples = predictor, examples
        self.batch_tokens, self.smoothing = batch_tokens, smoothing
        self.stream: Callable[[int], Part] | None = None
        rows = texts["valid"][:fixed] if "valid" in texts else {"text": [], "label": []}
        self.fixed = list(zip(rows["text"], rows["label"], strict=True))

    def part(self, epoch: int) -> Part:
        if self.stream is not None:
            return self.stream(epoch)
        return _Part(self.examples["train"], self.predictor.tokenizer.pad)

    def encoded(self, rows: Sequence[Mapping[str, str]], longest: int) -> Part:
        """Texts as they come from a stream, those that are not too long."""
        predictor = self.predictor
        readers: dict[str, Reader] = {"text": predictor.coder, "label": predictor.labels}
        return _Part(encoded(rows, readers, longest), predictor.tokenizer.pad)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return by_tokens(lengths, self.batch_tokens, rng)

    def loss(self, batch: Labelled) -> Float[Tensor, ""]:
        model = self.predictor.model
        logits, met = explored(model, batch.source, batch.lengths)
        nats = cross_entropy(
            logits.float(),
            batch.label,
            ignore_index=-1,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return learning_from(model, nats, met, batch.label >= 0).sum()

    def size(self, split: str) -> int:
        return len(self.examples[split]) if split in self.examples else 0

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each text: the wanted label, the answer, and the nats that the wanted one costs."""
        model, part = (
            self.predictor.model,
            _Part(self.examples[split], self.predictor.tokenizer.pad),
        )
        device = model.output.weight.device
        records: list[Record] = [{} for _ in rows]
        order = np.argsort(part.lengths[rows, 0], kind="stable")
        for start in range(0, len(rows), EXAMINED_AT_ONCE):
            some = order[start : start + EXAMINED_AT_ONCE]
            batch = part.batch(rows[some]).to(device)
            scores = model(batch.source, batch.lengths).float().log_softmax(-1)
            for row, score, label in zip(some, scores.cpu(), batch.label.tolist(), strict=True):
                nats = -float(score[label]) if label >= 0 else 0.0
                records[row] = {"wanted": label, "answer": int(score.argmax()), "nats": nats}
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy and F1 averaged over labels; texts without a known label do not count."""
        return label_scores(records)


def label_scores(records: Sequence[Record]) -> dict[str, float]:
    """Loss, accuracy and F1 of records with `wanted`, `answer` and `nats`, where one is wanted."""
    known = [r for r in records if r["wanted"] >= 0]
    if not known:
        return {"loss": 0.0, "accuracy": 0.0, "f1": 0.0}
    wanted = np.array([r["wanted"] for r in known])
    answers = np.array([r["answer"] for r in known])
    return {
        "loss": sum(r["nats"] for r in known) / len(known),
        "accuracy": float((wanted == answers).mean()),
        "f1": macro_f1(answers, wanted),
    }


def macro_f1(answers: np.ndarray, wanted: np.ndarray) -> float:
    """The mean over labels of 2 · precision · recall / (precision + recall).

    Labels that are neither wanted nor answered do not count.

    >>> round(macro_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])), 4)
    0.7333
    """
    scores = []
    for label in np.union1d(answers, wanted):
        both = int(((answers == label) & (wanted == label)).sum())
        scores.append(2 * both / int((answers == label).sum() + (wanted == label).sum()))
    return float(np.mean(scores))


@dataclass(frozen=True, eq=False)
class _Part:
    """Texts and labels of one split."""

    examples: Examples
    pad: int

    @property
    def lengths(self) -> np.ndarray:
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Labelled:
        (sources,) = self.examples.take(rows)
        return Labelled.of(sources, self.examples.labels[rows], self.pad)
