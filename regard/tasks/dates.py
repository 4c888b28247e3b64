"""Dates in every language to ISO 8601: the data, the model, the loss and the metric."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard._typing import Normalizer, Score
from regard.data.buckets import buckets
from regard.data.cldr_dates import FORMATS, CLDRDates
from regard.data.days import NUM_DAYS, day, days_of
from regard.data.ragged import Ragged
from regard.data.vocabulary import Vocabulary
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, greedy
from regard.normalizers import softmax
from regard.tasks.date_reader import MAX_LENGTH, DateReader

COMMON = tuple(
    "en zh hi es ar fr bn pt ru ur id de ja pcm mr te tr ta yue vi fil ko fa ha sw "
    "jv it pa kn gu th am bho yo my uk pl ml or mai uz sd ro nl ku ps ig ms om az".split()
)
"""Fifty of the most spoken languages of CLDR, first and second speakers, as commonly estimated."""

BATCH_SIZE = 128
"""Half as many would learn more from each example, but not from each second."""

LEARNING_RATE = 8e-3
"""High for a recurrent network, which a gradient clipped to 1 and a decay to 0 allow."""

POOL = 50_000
"""Number of examples drawn at a time and sorted by length."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts, and the days they mean between `<s>` and `</s>`.

    `lengths` is None when all texts are equally long, so that nothing has to be masked.
    """

    source: Int[Tensor, "batch k_len"]
    lengths: Int[Tensor, " batch"] | None
    target: Int[Tensor, "batch q_len"]

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.source.numel() + self.target.numel()


@dataclass(frozen=True, eq=False)
class Examination:
    """Examples that are asked: `templates` and `days` as in `CLDRDates`."""

    templates: np.ndarray
    days: np.ndarray


class Dates:
    """The task for some languages.

    A training example is a language, one of its four formats and a day of the training split, each
    drawn uniformly. Days of the other splits are never trained on, in no language.

    Raises `ImportError` without Babel.

    >>> task = Dates(["en", "fr"])
    >>> next(task.batches(batch_size=32, seed=0)).target.shape
    torch.Size([32, 12])
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self.dates = CLDRDates.compile(languages)
        self.source = self.dates.vocabulary
        self.target = Vocabulary.build("0123456789-")
        names = [self.target.encode(day(number).isoformat()) for number in range(NUM_DAYS)]
        framed = [[self.target.begin, *name, self.target.end] for name in names]
        self.targets = torch.tensor(framed)

    def model(self, score: Score | None = None, normalizer: Normalizer = softmax) -> RNNsearch:
        """A new network of the size that suits this task."""
        config = RNNsearchConfig(
            source_vocab=len(self.source),
            target_vocab=len(self.target),
            embed_dim=64,
            hidden_dim=96,
            state_dim=96,
            align_dim=32,
            maxout_dim=48,
        )
        return RNNsearch(config, score, normalizer)

    def reader(self, model: RNNsearch) -> DateReader:
        """The model with what is needed to use it."""
        return DateReader(model, self.source, self.target)

    def batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Training examples without end."""
        rng = np.random.default_rng(seed)
        while True:
            templates = rng.integers(len(self.dates.first), size=POOL)
            days = rng.choice(days_of("train"), POOL)
            texts = self.dates.encode(templates, days)
            for rows in buckets(texts.lengths, batch_size, rng):
                yield self._batch(texts.take(rows), days[rows])

    def loss(self, model: RNNsearch, batch: Batch) -> Float[Tensor, ""]:
        """Mean cross-entropy per character of the answer, `</s>` included."""
        logits = model(batch.source, batch.target[:, :-1], batch.lengths)
        logits = rearrange(logits, "batch q_len vocab -> (batch q_len) vocab")
        return cross_entropy(logits, rearrange(batch.target[:, 1:], "batch q_len -> (batch q_len)"))

    def examination(self, split: str, per_language: int, seed: int) -> Examination:
        """Equally many questions in every language, on days of one split, the formats in turn."""
        rng = np.random.default_rng(seed)
        count = per_language * len(self.languages)
        languages = np.repeat(np.arange(len(self.languages)), per_language)
        formats = np.arange(count) % per_language % len(FORMATS)
        return Examination(languages * len(FORMATS) + formats, rng.choice(days_of(split), count))

    @torch.no_grad()
    def exact(self, model: RNNsearch, asked: Examination, batch_size: int = 512) -> np.ndarray:
        """For each question whether the greedy answer is right to the last character."""
        texts = self.dates.encode(asked.templates, asked.days)
        right = np.zeros(len(texts), dtype=bool)
        for rows in buckets(texts.lengths, batch_size, np.random.default_rng(0)):
            batch = self._batch(texts.take(rows), asked.days[rows])
            encoded = model.encode(batch.source, batch.lengths)
            answers = greedy(model, encoded, self.target.begin, self.target.end, MAX_LENGTH)
            wanted = batch.target[:, 1:-1].tolist()
            right[rows] = [list(a.tokens) == w for a, w in zip(answers, wanted, strict=True)]
        return right

    def by_language(self, right: np.ndarray, asked: Examination) -> dict[str, float]:
        """The share of right answers in each language, the worst first."""
        language = asked.templates // len(FORMATS)
        shares = {tag: right[language == i].mean() for i, tag in enumerate(self.languages)}
        return {tag: float(share) for tag, share in sorted(shares.items(), key=lambda x: x[1])}

    def _batch(self, texts: Ragged, days: np.ndarray) -> Batch:
        lengths = torch.from_numpy(texts.lengths)
        same = bool((lengths == lengths[0]).all())
        source = torch.from_numpy(texts.padded(self.source.pad))
        return Batch(source, None if same else lengths, self.targets[torch.from_numpy(days)])
