"""Several labels at once: those that a text has, each judged for itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from regard.config import Between, Config, LargeCount
from regard.data.encoding.token_settings import BPE, Tokens, texts_of
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
    """The options of labelling with several labels.

    Args:
        tokens: how texts are cut.
        sentences: mark the end of every sentence, for networks that read documents.
        longest: tokens that are read of a text; longer ones are cut.
        batch_tokens: tokens of a micro-batch, padding included.
        threshold: what a label's probability must be above for the label to be answered.
    """

    tag = "multilabel"

    tokens: Tokens = BPE()
    sentences: bool = False
    longest: LargeCount = 256
    batch_tokens: LargeCount = 4096
    threshold: Probability = 0.5


class Multilabel(Task):
    r"""The task: learn which of many labels a text has; it may have any number of them, or none.

    The network is one of classification (see `regard.models.protocols.Classifies`), whose logits
    are each a probability by a sigmoid of their own. The labels are those of the training data.

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
        """Tokens and labels of the training part."""
        train = corpus.splits["train"]
        labels = learned_labels(train)
        tokenizer = settings.tokens.learned(texts_of(train, "text"))
        return TextsAndLabelLists(
            tokenizer, labels, settings.longest, settings.sentences, settings.threshold
        )

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some examples to show while training lasts, with their labels as an answer has them."""
        found = super().shown(count)
        return [(text, joined(sorted(labels_in(cell or ""), key=natural))) for text, cell in found]

    def loss(self, batch: MultilabelledTexts) -> Float[Tensor, ""]:
        """The summed binary cross-entropies of all labels, an auxiliary loss included."""
        return multilabel_loss(self.model, (batch.source,), batch.labels)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each text: its labels, the answered ones, how many are unknown, what they cost."""
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
        """The loss of `loss` for each text, F1 and the share of sets that are right as a whole."""
        return multilabel_scores(records, len(self.coder.labels))

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, and the texts whose labels cost the most."""
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
        """That every answer is the same, and which labels the training data does not have."""
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
