"""Multilabel classification: any number of labels per text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from regard.config import Between, Config, LargeCount
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.reading.corpus import Corpus
from regard.data.reading.natural import natural
from regard.tasks.details import Details, JudgedExample, worst_of
from regard.tasks.label_details import per_label
from regard.tasks.multilabel.coder import (
    UNKNOWN,
    MultilabelledTexts,
    TextsAndLabelLists,
    joined,
    labels_in,
    learned_labels,
)
from regard.tasks.multilabel.loss import multilabel_loss
from regard.tasks.multilabel.metrics import multilabel_scores
from regard.tasks.multilabel.predictor import MultilabelPredictor
from regard.tasks.multilabel.remarks import one_set_only, unknown_labels
from regard.tasks.multilabel.schema import SCHEMA
from regard.tasks.task import Record, Task

Probability = Annotated[float, Between(above=0.0, below=1.0)]


@dataclass(frozen=True, kw_only=True)
class MultilabelSettings(Config):
    """The settings of multilabel classification.

    Args:
        tokens: how texts are tokenized.
        sentences: mark the end of every sentence, for networks that read documents.
        longest: maximum tokens of a text; longer ones are truncated.
        batch_tokens: tokens per micro-batch, including padding.
        threshold: labels with a higher probability are predicted.
    """

    tag = "multilabel"

    tokens: Tokens = BPE()
    sentences: bool = False
    longest: LargeCount = 256
    batch_tokens: LargeCount = 4096
    threshold: Probability = 0.5


class Multilabel(Task):
    r"""The task: learn which of many labels a text has; it may have any number, or none.

    The network is a classifier (see `regard.models.protocols.Classifies`) whose logits go through
    a sigmoid each. The labels are those of the training data.

    >>> import datasets, torch
    >>> class Bag(torch.nn.Module):
    ...     def __init__(self, vocab, classes, **_):
    ...         super().__init__()
    ...         self.words = torch.nn.Embedding(vocab, classes)
    ...     def forward(self, source):
    ...         return source.mean(self.words(source.ids))
    >>> rows = {
    ...     "text": ["a round red ball", "a red cloth", "a big idea"] * 9,
    ...     "labels": ["red\tround", "red", ""] * 9,
    ... }
    >>> train = datasets.Dataset.from_dict(rows)
    >>> corpus = Corpus(SCHEMA, {"train": train, "valid": train}, ("text", "labels"), "", "")
    >>> task = Multilabel(corpus, Bag)
    >>> task.coder.labels, task.loss(task.batch("train", np.arange(2))).shape
    (('red', 'round'), torch.Size([]))
    """

    name, metric = "multilabel", "f1"
    schema = SCHEMA
    settings_type = MultilabelSettings
    predictor_type = MultilabelPredictor
    settings: MultilabelSettings
    coder: TextsAndLabelLists

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> TextsAndLabelLists:
        """Tokens and labels of the training split."""
        train = corpus.splits["train"]
        labels = learned_labels(train)
        tokenizer = settings.tokens.learned(settings.tokens.texts(train, "text"))
        return TextsAndLabelLists(
            tokenizer, labels, settings.longest, settings.sentences, settings.threshold
        )

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some examples to show during training, with their labels formatted like an answer."""
        found = super().shown(count)
        return [(text, joined(sorted(labels_in(cell or ""), key=natural))) for text, cell in found]

    def loss(self, batch: MultilabelledTexts) -> Float[Tensor, ""]:
        """The summed binary cross-entropies of all labels, including an auxiliary loss."""
        return multilabel_loss(self.model, (batch.source,), batch.labels)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each text: its labels, the predicted ones, how many are unknown, and the loss."""
        batch = self.batch(split, rows)
        logits = self.model(batch.source).float()
        costs = binary_cross_entropy_with_logits(logits, batch.labels, reduction="none").sum(-1)
        answers = (logits.sigmoid() > self.coder.threshold).cpu().numpy()
        members = self.data.examples[split].lists[0].take(rows)
        return [
            {
                "target": target[target != UNKNOWN].tolist(),
                "answer": np.flatnonzero(answer).tolist(),
                "unknown": len(self._unknown(split, row)) if UNKNOWN in target else 0,
                "nll": nll,
            }
            for row, target, answer, nll in zip(rows, members, answers, costs.tolist(), strict=True)
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The mean loss per text, F1 and exact-set accuracy."""
        return multilabel_scores(records, len(self.coder.labels))

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, and the texts with the largest losses."""
        wanted, given, both = (Counter[int]() for _ in range(3))
        for record in records:
            wanted.update(record["target"])
            given.update(record["answer"])
            both.update(set(record["target"]) & set(record["answer"]))

        def example(place: int) -> JudgedExample:
            text, cell = self.written(split, place)
            target = joined(sorted(labels_in(cell), key=natural))
            answered = joined([self.coder.labels[n] for n in records[place]["answer"]])
            return JudgedExample(text, target, answered, records[place]["nll"])

        table = per_label(wanted, given, both, self.coder.labels)
        return Details((table,), worst_of([r["nll"] for r in records], worst, example))

    def remarks(self, split: str, records: Sequence[Record]) -> list[str]:
        """Whether all predictions are the same, and which labels the training data lacks."""
        unknown: set[str] = set()
        for row, record in enumerate(records):
            if record["unknown"]:
                unknown |= self._unknown(split, row)
        said = (
            one_set_only(records, self.coder.labels, split, self.coder.threshold),
            unknown_labels(records, sorted(unknown, key=natural), split),
        )
        return [each for each in said if each is not None]

    def _unknown(self, split: str, row: int) -> set[str]:
        """The labels of an example that the training data does not have."""
        place = int(self.data.examples[split].rows[row])
        return {*labels_in(self.data.texts[split][place]["labels"])} - {*self.coder.labels}
