"""Dates in every language to ISO 8601: synthetic data, generated while training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, LargeCount
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.feeding.batching import by_rows
from regard.data.reading.corpus import Corpus
from regard.data.synthetic.cldr_dates import FORMATS, CLDRDates, languages
from regard.data.synthetic.days import day, days_of
from regard.data.synthetic.tags import nearest_tags
from regard.tasks.dates.coder import DateCoder
from regard.tasks.dates.examples import DateExamples, MadeDates
from regard.tasks.dates.metrics import apart, by_language, date_scores
from regard.tasks.dates.predictor import DateReader
from regard.tasks.details import Details, DetailTable, JudgedExample, worst_of
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss
from regard.tasks.task import Record, Task

SHOWN_LANGUAGES = ("fr", "ar", "zh")
"""Languages whose alignments are shown, if they are trained on: three scripts, three orders."""

NOTHING_TO_READ = "dates are made while training, so there is nothing to read: give None as data"


@dataclass(frozen=True, kw_only=True)
class DatesSettings(Config):
    """The settings of date normalization.

    Args:
        languages: CLDR tags; all of Babel's if there are none.
        examples_per_epoch: number sampled at a time and sorted by length.
        batch_size: dates per micro-batch. Half as many would teach more per example, but not per
            second.
        valid_questions: dates per validation, in all languages together; at least two in each.
        test_questions: dates in the final evaluation; at least 40 in each language.
        eval_batch_size: dates per evaluation batch.
        longest: maximum characters of an input.
        max_length: maximum characters of an output.
    """

    tag = "dates"

    languages: tuple[str, ...] = ()
    examples_per_epoch: LargeCount = 50_000
    batch_size: Count = 128
    valid_questions: LargeCount = 600
    test_questions: LargeCount = 2000
    eval_batch_size: Count = 512
    longest: Count = 500
    max_length: Count = 16


class Dates(Task):
    """The task for some languages.

    A training example is a language, one of its four formats and a day of the training split, each
    sampled uniformly, depending only on the seed and the epoch. Days of the other splits are never
    trained on, in any language. The network is a sequence-to-sequence one (see
    `regard.models.protocols.Translates`); the data is None.

    Raises `ImportError` without Babel, and `ValueError` for data.

    >>> from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
    >>> def network(source_vocab, target_vocab, **_):
    ...     sizes = {"source_vocab": source_vocab, "target_vocab": target_vocab}
    ...     return RNNsearch(RNNsearchConfig(**sizes, embed_dim=8, hidden_dim=8, maxout_dim=8))
    >>> task = Dates(None, network, DatesSettings(languages=("en", "fr")))
    >>> task.part(0).batch(np.arange(32)).target.ids.shape
    torch.Size([32, 11])
    """

    name, metric = "dates", "exact"
    settings_type = DatesSettings
    predictor_type = DateReader
    settings: DatesSettings
    coder: DateCoder
    data: MadeDates

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> DateCoder:
        """Raise `ValueError`: there is nothing to learn from."""
        raise ValueError(NOTHING_TO_READ)

    @classmethod
    def prepare(
        cls,
        data: Corpus | str | None = None,
        settings: Any = None,
        place: Path | None = None,
        coder: Any = None,
    ) -> MadeDates:
        """The patterns of all languages, and the questions of both evaluations."""
        if data is not None:
            raise ValueError(NOTHING_TO_READ)
        known = cls.settings_type() if settings is None else settings
        all_tags = languages()
        for tag in known.languages:
            if tag not in all_tags:
                raise ValueError(f"unknown language {tag!r}: {nearest_tags(tag, all_tags)}")
        dates = CLDRDates.compile(known.languages or all_tags)
        target = Vocabulary.build("0123456789-")
        return _made(
            dates, DateCoder(dates.vocabulary, target, known.longest, known.max_length), known
        )

    @classmethod
    def opened(cls, corpus: Corpus, settings: Any, place: Path) -> MadeDates:
        """The result of `prepare` for the same settings."""
        return cls.prepare(None, settings)

    @classmethod
    def of(cls, predictor: Any, splits: Any, place: Path, settings: Any = None) -> "Dates":
        """The task of a trained predictor, in its own languages.

        Raises `ValueError` if the settings name others.
        """
        coder = predictor.coder
        known = DatesSettings(languages=coder.languages) if settings is None else settings
        dates = CLDRDates.compile(known.languages or languages())
        if dates.vocabulary != coder.source:
            raise ValueError(
                f"the network has learned {len(coder.languages)} languages, and the settings name "
                f"{len(dates.languages)} that are written otherwise; leave languages out"
            )
        return cls(_made(dates, coder, known), predictor.model, known, fixed=0)

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags of the languages, in the order of their templates."""
        return self.data.dates.languages

    def part(self, epoch: int) -> DateExamples:
        """The training examples of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        return self.data.drawn(self.settings.examples_per_epoch, rng)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many dates."""
        return by_rows(lengths[:, :1], self.settings.batch_size, rng)

    def loss(self, batch: Seq2SeqBatch) -> Float[Tensor, ""]:
        """The summed cross-entropy of the answers' characters, including `</s>`."""
        return seq2seq_loss(self.model, batch)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each question: its language, the prediction, and the right answer."""
        asked, target = self.data.examples[split], self.coder.target
        texts = asked.texts.take(rows)
        found = self.predictor.write(texts, num_answers, self.settings.eval_batch_size)
        return [
            {
                "language": self.languages[int(template) // len(FORMATS)],
                "target": day(int(number)).isoformat(),
                "answer": "".join(target.decode(best.tokens)),
            }
            for template, number, (best, *_) in zip(
                asked.templates[rows], asked.days[rows], found, strict=True
            )
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The share of answers that are exactly right, and that share in common languages."""
        return date_scores(records)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The accuracy in the languages with the most mistakes, and the worst mistakes.

        Of two wrong answers the one with more wrong characters is worse.
        """
        shares = by_language(records)
        wrong = [(tag, round(share, 4)) for tag, share in shares.items() if share < 1]
        perfect = len(shares) - len(wrong)
        note = f"all dates of {perfect:,} of {len(shares):,} languages are read rightly"
        table = DetailTable(
            "languages", "languages with mistakes", ("language", "exact"), tuple(wrong), note
        )
        losses = [float(apart(each["answer"], each["target"])) for each in records]
        asked = self.data.examples[split].texts

        def example(place: int) -> JudgedExample:
            text = "".join(
                self.coder.source.decode(next(iter(asked.take(np.array([place])))).tolist())
            )
            record = records[place]
            return JudgedExample(text, record["target"], record["answer"], losses[place])

        found = worst_of(losses, worst, example)
        return Details((table,), tuple(each for each in found if each.loss))

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """One day of the test split, written in full in at most three languages, and its name."""
        tags = dict.fromkeys(
            [*(tag for tag in SHOWN_LANGUAGES if tag in self.languages), *self.languages]
        )
        chosen = list(tags)[: min(count, len(SHOWN_LANGUAGES))]
        full = [self.languages.index(tag) * len(FORMATS) for tag in chosen]
        # A day of three different numbers, so that one can tell which of them was looked at.
        number = next(
            n for n in days_of("test").tolist() if day(n).year == 2026 and day(n).day > 12
        )
        texts = self.data.dates.texts(np.array(full), np.repeat(number, len(full)))
        return [(text, day(number).isoformat()) for text in texts]

    @property
    def at_once(self) -> int:
        """The batch size of predictions."""
        return self.settings.eval_batch_size


def _made(dates: CLDRDates, coder: DateCoder, settings: DatesSettings) -> MadeDates:
    """The patterns with the questions of both evaluations, as many in each language."""
    made, count = MadeDates(coder, {}, {}, dates), len(dates.languages)
    valid = made.questions("valid", max(2, settings.valid_questions // count), seed=1)
    test = made.questions("test", max(40, settings.test_questions // count), seed=2)
    return MadeDates(coder, {"valid": valid, "test": test}, {}, dates)
