"""Text classification, evaluated by accuracy and F1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, LargeCount, Share
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.reading.corpus import Corpus
from regard.tasks.classify.class_weights import ClassWeights, Weighing
from regard.tasks.classify.coder import LabelledTexts, TextsAndLabels, require_labels
from regard.tasks.classify.label_task import LabelTask
from regard.tasks.classify.loss import label_loss
from regard.tasks.classify.metrics import label_confusion, label_record, label_scores
from regard.tasks.classify.predictor import Classifier
from regard.tasks.classify.schema import SCHEMA
from regard.tasks.details import Details
from regard.tasks.label_details import label_details
from regard.tasks.task import Confusion, Record


@dataclass(frozen=True, kw_only=True)
class ClassifySettings(Config):
    """The settings of text classification.

    Args:
        tokens: how texts are tokenized.
        sentences: mark the end of every sentence, for networks that read documents.
        longest: maximum tokens of a text; longer ones are truncated.
        batch_tokens: tokens per micro-batch, including padding.
        smoothing: label smoothing.
        class_weights: weights of the labels in the training loss: `none` (all examples equal),
            `balanced` (all labels equal), or a number for each label, such as `ham=1,spam=20`.
            The best network is then chosen by its balanced accuracy.
    """

    tag = "classify"

    tokens: Tokens = BPE()
    sentences: bool = False
    longest: LargeCount = 256
    batch_tokens: LargeCount = 4096
    smoothing: Share = 0.0
    class_weights: Weighing = ClassWeights()


class Classify(LabelTask):
    r"""The task: learn the labels of texts.

    The network takes `Sequences` and returns logits `[batch, classes]`; with `attention_weights`,
    these are displayed; with `forward_sampled`, it is trained by that (see
    `regard.models.protocols.Classifies`).

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> class Bag(torch.nn.Module):
    ...     def __init__(self, vocab, classes, **_):
    ...         super().__init__()
    ...         self.words = torch.nn.Embedding(vocab, classes)
    ...     def forward(self, source):
    ...         return source.mean(self.words(source.ids))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "films.csv")
    ...     _ = path.write_text("text,label\n" + "a fine film,good\na dull film,bad\n" * 20)
    ...     task = Classify(str(path), Bag)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name = "classify"
    schema = SCHEMA
    settings_type = ClassifySettings
    predictor_type = Classifier
    settings: ClassifySettings
    coder: TextsAndLabels

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> TextsAndLabels:
        """Tokens of the training texts, labels of all."""
        require_labels(corpus)
        texts = settings.tokens.texts(corpus.splits["train"], "text")
        tokenizer = settings.tokens.learned(texts)
        return TextsAndLabels(tokenizer, corpus.labels, settings.longest, settings.sentences)

    def loss(self, batch: LabelledTexts) -> Float[Tensor, ""]:
        """The summed cross-entropy of the labels, including an auxiliary loss."""
        smoothing = self.settings.smoothing
        return label_loss(self.model, (batch.source,), batch.label, smoothing, self.weights)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each text: the label, the prediction, and the label's negative log-likelihood."""
        batch = self.batch(split, rows)
        scores = self.model(batch.source).float().log_softmax(-1).cpu()
        return [label_record(s, n) for s, n in zip(scores, batch.label.tolist(), strict=True)]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy and macro F1; texts without a known label do not count."""
        return label_scores(records)

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """The confusion matrix, of examples whose label is known."""
        return label_confusion(records, self.coder.labels)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, the confusion matrix, and the worst mistakes."""
        written = partial(self.written, split)
        return label_details(records, self.coder.labels, written, worst)
