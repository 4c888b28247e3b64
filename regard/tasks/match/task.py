"""Sentence-pair classification, evaluated by accuracy and ranking."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, LargeCount, Share
from regard.data.encoding.token_settings import Tokens, Words
from regard.data.reading.corpus import Corpus
from regard.tasks.classify.class_weights import ClassWeights, Weighing
from regard.tasks.classify.coder import require_labels
from regard.tasks.classify.label_task import LabelTask
from regard.tasks.classify.loss import label_loss
from regard.tasks.classify.metrics import label_confusion, label_record, label_scores
from regard.tasks.details import Details
from regard.tasks.label_details import label_details
from regard.tasks.match.coder import LabelledPairs, PairsAndLabels
from regard.tasks.match.metrics import digest, ranked_records
from regard.tasks.match.predictor import Matcher
from regard.tasks.match.schema import SCHEMA
from regard.tasks.task import Confusion, Record


@dataclass(frozen=True, kw_only=True)
class MatchSettings(Config):
    """The settings of sentence-pair classification.

    Args:
        tokens: how sentences are tokenized.
        longest: maximum tokens of a sentence; longer ones are truncated.
        batch_tokens: tokens per micro-batch, including padding.
        smoothing: label smoothing.
        class_weights: weights of the labels in the training loss: `none` (all examples equal),
            `balanced` (all labels equal), or a number for each label, such as `ham=1,spam=20`.
            The best network is then chosen by its balanced accuracy.
    """

    tag = "match"

    tokens: Tokens = Words(size=20_000, lowercase=True)
    longest: LargeCount = 64
    batch_tokens: LargeCount = 1536
    smoothing: Share = 0.0
    class_weights: Weighing = ClassWeights()


class Match(LabelTask):
    r"""The task: learn the labels of pairs of sentences.

    If there are two labels, the second means a match (`yes` after `no`, `1` after `0`), and pairs
    with the same left sentence are candidates that are ranked by its probability.

    The network takes two `Sequences` and returns logits `[batch, classes]`; with
    `attention_weights`, these are displayed (see `regard.models.protocols.Matches`).

    Raises `ValueError` for a pair with an empty side.

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> class Bags(torch.nn.Module):
    ...     def __init__(self, vocab, classes, **_):
    ...         super().__init__()
    ...         self.words, self.output = torch.nn.Embedding(vocab, 8), torch.nn.Linear(8, classes)
    ...     def forward(self, left, right):
    ...         one, other = (side.mean(self.words(side.ids)) for side in (left, right))
    ...         return self.output(one * other)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pairs.csv")
    ...     _ = path.write_text("left,right,label\n" + "a cat,a cat,yes\na dog,a cat,no\n" * 20)
    ...     task = Match(str(path), Bags)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name = "match"
    schema = SCHEMA
    settings_type = MatchSettings
    predictor_type = Matcher
    settings: MatchSettings
    coder: PairsAndLabels

    @classmethod
    def longest_within(cls, positions: int) -> int:
        """How long each side may be, since both may be read as one text."""
        return positions // 2

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PairsAndLabels:
        """Tokens of the training pairs, labels of all."""
        require_labels(corpus)
        texts = settings.tokens.texts(corpus.splits["train"], "left", "right")
        return PairsAndLabels(settings.tokens.learned(texts), corpus.labels, settings.longest)

    def loss(self, batch: LabelledPairs) -> Float[Tensor, ""]:
        """The summed cross-entropy of the labels, including an auxiliary loss."""
        sides = (batch.left, batch.right)
        return label_loss(self.model, sides, batch.label, self.settings.smoothing, self.weights)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each pair: the label, the prediction, the label's loss, and the ranking score."""
        batch = self.batch(split, rows)
        scores = self.model(batch.left, batch.right).float().log_softmax(-1).cpu()
        records = [label_record(s, n) for s, n in zip(scores, batch.label.tolist(), strict=True)]
        if len(self.coder.labels) == 2:
            lefts = self.data.examples[split].columns[0].take(rows)
            for record, score, left in zip(records, scores, lefts, strict=True):
                record |= {"group": digest(left), "match": float(score[1] - score[0])}
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy, macro F1; MAP and MRR if candidates can be ranked.

        Pairs without a known label do not count.
        """
        return label_scores(records) | ranked_records(records)

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """The confusion matrix, of examples whose label is known."""
        return label_confusion(records, self.coder.labels)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, the confusion matrix, and the worst mistakes."""
        written = partial(self.written, split)
        return label_details(records, self.coder.labels, written, worst)
