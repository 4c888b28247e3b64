"""Questions about stories: an answer to each, and the sentences that were looked at for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.data.encoding.examples import Coder, Examples
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.story_words import (
    AnswerCoder,
    QuestionCoder,
    StoryCoder,
    SupportCoder,
    told,
)
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.feeding.feed import Part
from regard.tasks.answerer import Answerer
from regard.tasks.explorer import explored, learning_from
from regard.tasks.padding import lengths_of
from regard.tasks.task import Record

EXAMINED_AT_ONCE = 64


def coders(vocabulary: Vocabulary) -> dict[str, Coder]:
    """What reads each column of the data."""
    return {
        "story": StoryCoder(vocabulary),
        "question": QuestionCoder(vocabulary),
        "answer": AnswerCoder(vocabulary),
        "support": SupportCoder(),
    }


@dataclass(frozen=True, eq=False)
class Asked:
    """Stories and questions about them; `lengths` is None where no story is padded.

    `label` is the word that answers, -1 where that is not known.
    """

    story: Int[Tensor, "batch sentences words"]
    question: Int[Tensor, "batch question_words"]
    lengths: Int[Tensor, " batch"] | None
    label: Int[Tensor, " batch"]

    @property
    def labels(self) -> int:
        """Number of questions whose answer is known."""
        return int((self.label >= 0).sum())

    @property
    def tokens(self) -> int:
        """Words read."""
        return int((self.story != 0).sum()) + int((self.question != 0).sum())

    @property
    def cells(self) -> int:
        """The same with padding."""
        return self.story.numel() + self.question.numel()

    def to(self, device: torch.device) -> "Asked":
        """The same batch on a device."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Asked(
            self.story.to(device), self.question.to(device), lengths, self.label.to(device)
        )


class AnswerQuestions:
    """The task: answer questions about stories.

    Args:
        predictor: the model and its vocabulary.
        examples: the numbers of each split's columns, as `coders` reads them.
        texts: the splits as they were written, with columns `story`, `question`, `answer`.
        batch_size: questions of a micro-batch.
        linear_epochs: passes through the data before the memory gets its softmax.
        fixed: how many examples are shown while training.
    """

    name, metric = "answer", "accuracy"

    def __init__(
        self,
        predictor: Answerer,
        examples: Mapping[str, Examples],
        texts: Mapping[str, Any],
        *,
        batch_size: int = 32,
        linear_epochs: float = 0.0,
        fixed: int = 4,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.predictor, self.examples, self.batch_size = predictor, examples, batch_size
        if linear_epochs and "train" in examples:
            predictor.model.start_linear(round(linear_epochs * len(examples["train"])))
        shown = texts["valid"][:fixed] if "valid" in texts else {}
        columns = [shown.get(name, []) for name in ("story", "question", "answer")]
        self.fixed = [(f"{s}\n{_asked(q)}", answer) for s, q, answer in zip(*columns, strict=True)]

    def part(self, epoch: int) -> Part:
        return self._part("train")

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        order = rng.permutation(len(lengths))
        return [order[n : n + self.batch_size] for n in range(0, len(order), self.batch_size)]

    def loss(self, batch: Asked) -> Float[Tensor, ""]:
        model = self.predictor.model
        logits, choice = explored(model, batch.story, batch.question, batch.lengths)
        nats = cross_entropy(logits.float(), batch.label, ignore_index=-1, reduction="none")
        if model.training:
            model.learned(len(batch.label))
        return learning_from(model, nats, choice, batch.label >= 0).sum()

    def size(self, split: str) -> int:
        return len(self.examples[split]) if split in self.examples else 0

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each question: the wanted answer, the one given, its nats, and where it looked.

        `looked` is the number of the sentence that each hop looked at most, `support` those that it
        should have; sentences count from 1.
        """
        part, model = self._part(split), self.predictor.model
        device = model.output.weight.device
        records: list[Record] = [{} for _ in rows]
        order = np.argsort(part.lengths[rows, 0], kind="stable")
        for start in range(0, len(rows), EXAMINED_AT_ONCE):
            some = order[start : start + EXAMINED_AT_ONCE]
            batch = part.batch(rows[some]).to(device)
            inputs = (batch.story, batch.question, batch.lengths)
            scores = model(*inputs).float().log_softmax(-1).cpu()
            looked = part.numbered(rows[some], model.look(*inputs).cpu())
            support = part.examples.take(rows[some])[3]
            for row, score, label, seen, facts in zip(
                some, scores, batch.label.tolist(), looked, support, strict=True
            ):
                records[row] = {
                    "wanted": label,
                    "answer": int(score.argmax()),
                    "nats": -float(score[label]) if label >= 0 else 0.0,
                    "looked": seen,
                    "support": facts.tolist(),
                }
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss of the questions whose answer is known, accuracy and error of all.

        Of validation data there is no accuracy during a linear or soft start, so that the best
        model is one that had its start behind it.

        `pointing` is the share of those with a known support in which every supporting sentence is
        what some hop looked at most, `unknown` that of answers the model cannot give, where there
        are any.
        """
        if not records:
            return {"loss": 0.0, "accuracy": 0.0, "error": 1.0}
        known = [r for r in records if r["wanted"] >= 0]
        right = sum(r["answer"] == r["wanted"] for r in records) / len(records)
        starting = split == "valid" and float(self.predictor.model.linear) > 0
        scores = {} if starting else {"accuracy": right, "error": 1 - right}
        if known:
            scores["loss"] = sum(r["nats"] for r in known) / len(known)
        if len(known) < len(records):
            scores["unknown"] = 1 - len(known) / len(records)
        supported = [r for r in records if r["support"]]
        if supported:
            found = sum(set(r["support"]) <= set(r["looked"]) for r in supported)
            scores["pointing"] = found / len(supported)
        return scores

    def _part(self, split: str) -> "_Part":
        return _Part(self.examples[split], *self._sizes())

    def _sizes(self) -> tuple[int, int]:
        return self.predictor.vocabulary.end, self.predictor.model.config.memory_size


@dataclass(frozen=True, eq=False)
class _Part:
    """The questions of one split."""

    examples: Examples
    end: int
    memory: int

    @property
    def lengths(self) -> np.ndarray:
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Asked:
        stories, questions, answers, _ = self.examples.take(rows)
        grid, counts = told(stories, self.end, self.memory)
        labels = np.where(answers.values > 1, answers.values, -1).astype(np.int64)
        question = torch.from_numpy(questions.padded(0).astype(np.int64))
        story = torch.from_numpy(grid)
        return Asked(story, question, lengths_of(counts), torch.from_numpy(labels))

    def numbered(
        self, rows: np.ndarray, looks: Float[Tensor, "batch hops sentences"]
    ) -> list[list[int]]:
        """The sentence that each hop looked at most, by its number in the whole story."""
        stories: Ragged = self.examples.take(rows)[0]
        counts = [int((story == self.end).sum()) for story in stories]
        return [
            (look.argmax(-1) + 1 + max(0, count - self.memory)).tolist() if count else []
            for look, count in zip(looks, counts, strict=True)
        ]


def _asked(question: str) -> str:
    """A question with its mark, by which a predictor knows it."""
    return question if question.rstrip().endswith(("?", "\uff1f")) else f"{question}?"
