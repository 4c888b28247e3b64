"""Question answering about stories: an answer, and the sentences attended to for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.config import Config, Count, NonNegative
from regard.data.encoding.story_words import learn_words
from regard.data.encoding.token_settings import texts_of
from regard.data.reading.corpus import Corpus
from regard.models.protocols import StartsLinear
from regard.tasks.answer.coder import QuestionBatch, StoriesAndAnswers
from regard.tasks.answer.predictor import Answerer
from regard.tasks.answer.schema import SCHEMA
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.classify.metrics import label_record
from regard.tasks.details import Details
from regard.tasks.first_epochs import examples_of
from regard.tasks.label_details import label_details
from regard.tasks.task import Record, Task


@dataclass(frozen=True, kw_only=True)
class AnswerSettings(Config):
    """The settings of question answering about stories.

    Args:
        batch_size: questions per micro-batch.
        linear_epochs: epochs before the hops of a memory network get their softmax; for networks
            with a linear start (see `regard.models.protocols.StartsLinear`).
    """

    tag = "answer"

    batch_size: Count = 32
    linear_epochs: NonNegative = 0.0


class AnswerQuestions(Task):
    r"""The task: answer questions about stories.

    The network takes the words of stories and questions as `Sequences`, with the id `end` after
    every sentence of a story, and returns logits of the words that may be the answer (see
    `regard.models.protocols.Answers`). One that has `attention_weights` is also evaluated by
    whether it attends to the supporting sentences.

    Raises `ValueError` for `linear_epochs` of a network without a linear start.

    >>> import json, tempfile, torch
    >>> class Bags(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.words, self.output = torch.nn.Embedding(vocab, 8), torch.nn.Linear(8, vocab)
    ...     def forward(self, story, question):
    ...         return self.output(sum(x.mean(self.words(x.ids)) for x in (story, question)))
    >>> row = {"story": "Ada went home.", "question": "Where is Ada?", "answer": "home"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "stories.jsonl")
    ...     rows = [row, row | {"story": "Ada left.", "answer": "away"}] * 20
    ...     _ = path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ...     task = AnswerQuestions(str(path), Bags)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "answer", "accuracy"
    schema = SCHEMA
    settings_type = AnswerSettings
    predictor_type = Answerer
    settings: AnswerSettings
    coder: StoriesAndAnswers

    def __init__(
        self, data: Any, model: Any, settings: Any = None, *, seed: int = 0, fixed: int = 4
    ) -> None:
        super().__init__(data, model, settings, seed=seed, fixed=fixed)
        lacks = "softmax that can be left out at first"
        examples = examples_of(self, "linear_epochs", StartsLinear, lacks)
        if examples:
            self.model.start_linear(examples)

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> StoriesAndAnswers:
        """The vocabulary of the training split."""
        train = corpus.splits["train"]
        columns = (texts_of(train, name) for name in ("story", "question", "answer"))
        return StoriesAndAnswers(learn_words(*columns))

    @classmethod
    def of(
        cls, predictor: Any, splits: Mapping[str, Any], place: Path, settings: Any = None
    ) -> Task:
        """The task of a trained predictor, whose linear start is over."""
        known = cls.settings_type() if settings is None else settings
        return super().of(predictor, splits, place, replace(known, linear_epochs=0.0))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many questions."""
        order, size = rng.permutation(len(lengths)), self.settings.batch_size
        return [order[n : n + size] for n in range(0, len(order), size)]

    def loss(self, batch: QuestionBatch) -> Float[Tensor, ""]:
        """The summed cross-entropy of the answers, an auxiliary loss included."""
        logits, aux = forward_sampled(self.model, batch.story, batch.question)
        nll = cross_entropy(logits.float(), batch.label, ignore_index=-1, reduction="none")
        if self.model.training and isinstance(self.model, StartsLinear):
            self.model.learned(len(batch.label))
        return with_auxiliary_loss(nll, aux, batch.label >= 0).sum()

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each question: the right answer, the predicted one, the loss, and the attention.

        `looked` is the sentence with the largest weight in each hop, None if the network does not
        report weights, `support` the supporting sentences; sentences count from 1.
        """
        batch = self.batch(split, rows)
        inputs = (batch.story, batch.question)
        scores = self.model(*inputs).float().log_softmax(-1).cpu()
        stories, _, _, support = self.data.examples[split].take(rows)
        strongest: list[Any] = [None] * len(rows)
        if hasattr(self.model, "attention_weights"):
            found = self.model.attention_weights(*inputs).cpu()
            end = self.coder.vocabulary.end
            for number, (weights, story) in enumerate(zip(found, stories, strict=True)):
                told = bool((story == end).any())
                strongest[number] = (weights.argmax(-1) + 1).tolist() if told else []
        return [
            {
                **label_record(score, label),
                "looked": looked,
                "support": facts.tolist(),
            }
            for score, label, looked, facts in zip(
                scores, batch.label.tolist(), strongest, support, strict=True
            )
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss of the questions whose answer is in the vocabulary, accuracy and error of all.

        During a linear start, validation has no accuracy, so that the best network is one from
        after the start.

        `pointing` is the share of questions with known support in which every supporting sentence
        has the largest weight in some hop, `unknown` that of answers the network cannot give, if
        there are any.
        """
        starts = split == "valid" and isinstance(self.model, StartsLinear)
        return answer_scores(records, starting=starts and float(self.model.linear) > 0)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each answer, the confusion matrix, and the worst mistakes."""
        words = self.coder.vocabulary.tokens
        return label_details(records, words, partial(self.written, split), worst)


def answer_scores(records: Sequence[Record], starting: bool) -> dict[str, float]:
    """The metrics of these records (see `AnswerQuestions.score`).

    >>> record = {"target": 4, "answer": 4, "nll": 0.5, "looked": [3, 1], "support": [1, 3]}
    >>> answer_scores([record, record | {"answer": 5, "looked": [3, 3]}], starting=False)
    {'accuracy': 0.5, 'error': 0.5, 'loss': 0.5, 'pointing': 0.5}
    """
    if not records:
        return {"loss": 0.0, "accuracy": 0.0, "error": 1.0}
    known = [r for r in records if r["target"] >= 0]
    right = sum(r["answer"] == r["target"] for r in records) / len(records)
    scores = {} if starting else {"accuracy": right, "error": 1 - right}
    if known:
        scores["loss"] = sum(r["nll"] for r in known) / len(known)
    if len(known) < len(records):
        scores["unknown"] = 1 - len(known) / len(records)
    supported = [r for r in records if r["support"] and r["looked"] is not None]
    if supported:
        found = sum(set(r["support"]) <= set(r["looked"]) for r in supported)
        scores["pointing"] = found / len(supported)
    return scores
