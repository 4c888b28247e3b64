"""Text regression: a number for each text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, LargeCount
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.reading.corpus import Corpus
from regard.tasks.details import Details
from regard.tasks.number_details import number_details
from regard.tasks.regress.coder import NumberedTexts, Scale, TextsAndNumbers, numbers_of
from regard.tasks.regress.loss import number_loss
from regard.tasks.regress.metrics import number_records, scores_of_records
from regard.tasks.regress.predictor import Regressor
from regard.tasks.regress.schema import SCHEMA
from regard.tasks.task import Record, Task


@dataclass(frozen=True, kw_only=True)
class RegressSettings(Config):
    """The settings of regression.

    Args:
        tokens: how texts are tokenized.
        sentences: mark the end of every sentence, for networks that read documents.
        longest: maximum tokens of a text; longer ones are truncated.
        batch_tokens: tokens per micro-batch, including padding.
    """

    tag = "regress"

    tokens: Tokens = BPE()
    sentences: bool = False
    longest: LargeCount = 256
    batch_tokens: LargeCount = 4096


class Regress(Task):
    r"""The task: learn a number for each text.

    The network is a classifier with a single output (see `regard.models.protocols.Classifies`):
    the number, standardized by mean and standard deviation of the training data.

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> class Bag(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.words = torch.nn.Embedding(vocab, 1)
    ...     def forward(self, source):
    ...         return source.mean(self.words(source.ids))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "houses.csv")
    ...     rows = (f"{rooms} rooms with a bath,{1000 * rooms}\n" for rooms in range(40))
    ...     _ = path.write_text("text,price\n" + "".join(rows))
    ...     task = Regress(str(path), Bag)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "regress", "rmse"
    schema = SCHEMA
    settings_type = RegressSettings
    predictor_type = Regressor
    settings: RegressSettings
    coder: TextsAndNumbers

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> TextsAndNumbers:
        """Tokens and scale of the training split."""
        train = corpus.splits["train"]
        scale = Scale.of(numbers_of(train))
        tokenizer = settings.tokens.learned(settings.tokens.texts(train, "text"))
        return TextsAndNumbers(tokenizer, scale, settings.longest, settings.sentences)

    def loss(self, batch: NumberedTexts) -> Float[Tensor, ""]:
        """The summed squared errors of standardized numbers, including an auxiliary loss."""
        return number_loss(self.model, (batch.source,), batch.number)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each text, its number and the prediction, both on the scale of the data."""
        batch = self.batch(split, rows)
        return number_records(self.model(batch.source), batch.number, self.coder.scale)

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The mean loss per text, and the metrics of `number_scores`."""
        return scores_of_records(records, self.coder.scale)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Whether predictions are unbiased, and the largest errors."""
        return number_details(records, partial(self.written, split), worst)
