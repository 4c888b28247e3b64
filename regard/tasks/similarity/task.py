"""Sentence similarity: a number for each pair, evaluated by correlation with the right ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, LargeCount
from regard.data.encoding.token_settings import Tokens, Words
from regard.data.reading.corpus import Corpus
from regard.tasks.details import Details
from regard.tasks.number_details import number_details
from regard.tasks.regress.coder import Scale, numbers_of
from regard.tasks.regress.loss import number_loss
from regard.tasks.regress.metrics import number_records, scores_of_records
from regard.tasks.similarity.coder import NumberedPairs, PairsAndNumbers
from regard.tasks.similarity.predictor import SimilarityPredictor
from regard.tasks.similarity.schema import SCHEMA
from regard.tasks.task import Record, Task


@dataclass(frozen=True, kw_only=True)
class SimilaritySettings(Config):
    """The settings of similarity.

    Args:
        tokens: how sentences are tokenized.
        longest: maximum tokens of a sentence; longer ones are truncated.
        batch_tokens: tokens per micro-batch, including padding.
    """

    tag = "similarity"

    tokens: Tokens = Words(size=20_000, lowercase=True)
    longest: LargeCount = 64
    batch_tokens: LargeCount = 1536


class Similarity(Task):
    r"""The task: learn a number for each pair of sentences, such as their similarity.

    The network is a pair classifier with a single output (see `regard.models.protocols.Matches`):
    the number, standardized by mean and standard deviation of the training data.

    Raises `ValueError` for a pair with an empty side.

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> class Bags(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.words, self.output = torch.nn.Embedding(vocab, 8), torch.nn.Linear(8, 1)
    ...     def forward(self, left, right):
    ...         one, other = (side.mean(self.words(side.ids)) for side in (left, right))
    ...         return self.output(one * other)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pairs.csv")
    ...     rows = (f"a cat {n},a {('cat', 'dog')[n % 2]},{5 - 2.5 * (n % 2)}\n" for n in range(40))
    ...     _ = path.write_text("left,right,score\n" + "".join(rows))
    ...     task = Similarity(str(path), Bags)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "similarity", "pearson"
    schema = SCHEMA
    settings_type = SimilaritySettings
    predictor_type = SimilarityPredictor
    settings: SimilaritySettings
    coder: PairsAndNumbers

    @classmethod
    def longest_within(cls, positions: int) -> int:
        """How long each side may be, since both may be read as one text."""
        return positions // 2

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PairsAndNumbers:
        """Tokens and scale of the training split."""
        train = corpus.splits["train"]
        scale = Scale.of(numbers_of(train))
        tokenizer = settings.tokens.learned(settings.tokens.texts(train, "left", "right"))
        return PairsAndNumbers(tokenizer, scale, settings.longest)

    def loss(self, batch: NumberedPairs) -> Float[Tensor, ""]:
        """The summed squared errors of standardized numbers, including an auxiliary loss."""
        return number_loss(self.model, (batch.left, batch.right), batch.number)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each pair, its number and the prediction, both on the scale of the data."""
        batch = self.batch(split, rows)
        return number_records(self.model(batch.left, batch.right), batch.number, self.coder.scale)

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The mean loss per pair, the correlations, and the mean squared error."""
        found = scores_of_records(records, self.coder.scale)
        chosen = {name: found[name] for name in ("loss", "pearson", "spearman")}
        return {**chosen, "mse": found["rmse"] ** 2}

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Whether predictions are unbiased, and the largest errors."""
        return number_details(records, partial(self.written, split), worst)
