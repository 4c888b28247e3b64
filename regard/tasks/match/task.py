"""Matching of sentences: a label to each pair, accuracy and ranking to judge by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, LargeCount, Share
from regard.data.encoding.token_settings import Tokens, Words, texts_of
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
    """The options of matching.

    Args:
        tokens: how sentences are cut.
        longest: tokens that are read of a sentence; longer ones are cut.
        batch_tokens: tokens of a micro-batch, padding included.
        smoothing: of the labels.
        class_weights: what the examples of each label count while training: `none` (all the same),
            `balanced` (all labels the same), or a number for each label, such as `ham=1,spam=20`.
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

    Where there are two labels, the second says that a pair belongs together (`yes` behind `no`, `1`
    behind `0`), and pairs with the same left sentence are candidates that are ranked by it.

    The network takes two `Sequences` and returns logits `[batch, classes]`; one that has
    `attention_weights` is shown with them (see `regard.models.protocols.Matches`).

    Raises `ValueError` for a pair without a word on one side.

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
        """How long each side may be, for both may be read as one."""
        return positions // 2

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PairsAndLabels:
        """Tokens of the training pairs, labels of all."""
        require_labels(corpus)
        texts = texts_of(corpus.splits["train"], "left", "right")
        return PairsAndLabels(settings.tokens.learned(texts), corpus.labels, settings.longest)

    def loss(self, batch: LabelledPairs) -> Float[Tensor, ""]:
        """The summed cross-entropy of the labels, an auxiliary loss included."""
        sides = (batch.left, batch.right)
        return label_loss(self.model, sides, batch.label, self.settings.smoothing, self.weights)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each pair: the label, the answer, what the label costs; and what ranks the pair."""
        batch = self.batch(split, rows)
        scores = self.model(batch.left, batch.right).float().log_softmax(-1).cpu()
        records = [label_record(s, n) for s, n in zip(scores, batch.label.tolist(), strict=True)]
        if len(self.coder.labels) == 2:
            lefts = self.data.examples[split].columns[0].take(rows)
            for record, score, left in zip(records, scores, lefts, strict=True):
                record |= {"group": digest(left), "match": float(score[1] - score[0])}
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy, F1 averaged over labels; MAP and MRR where candidates can be ranked.

        Pairs without a known label do not count.
        """
        return label_scores(records) | ranked_records(records)

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """How often each label was answered with each, of those whose label is known."""
        return label_confusion(records, self.coder.labels)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, the confusion matrix, and the worst mistakes."""
        written = partial(self.written, split)
        return label_details(records, self.coder.labels, written, worst)
