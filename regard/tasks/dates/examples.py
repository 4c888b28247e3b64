"""Dates that are made and not read: each a language, a format and a day."""

from dataclasses import dataclass

import numpy as np

from regard.data.encoding.ragged import Ragged
from regard.data.synthetic.cldr_dates import FORMATS, CLDRDates
from regard.data.synthetic.days import days_of
from regard.tasks.dates.coder import DateCoder
from regard.tasks.seq2seq import Seq2SeqBatch
from regard.tasks.task import Encoded


@dataclass(frozen=True, eq=False)
class DateExamples:
    """Some dates, as numbers.

    Args:
        templates, days: what is written, as in `CLDRDates`.
        texts: the tokens of each.
    """

    coder: DateCoder
    templates: np.ndarray
    days: np.ndarray
    texts: Ragged

    def __len__(self) -> int:
        return len(self.days)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text `[n 1]`."""
        return self.texts.lengths[:, None]

    def batch(self, rows: np.ndarray) -> Seq2SeqBatch:
        """These examples as a batch."""
        names = self.coder.names(self.days[rows])
        return Seq2SeqBatch.of(self.texts.take(rows), names, self.coder.target)


@dataclass(frozen=True, eq=False)
class MadeDates(Encoded):
    """What the date task has in the place of data.

    Args:
        dates: the patterns of all languages.
    """

    dates: CLDRDates

    def written(self, templates: np.ndarray, days: np.ndarray) -> DateExamples:
        """Examples of these templates and days."""
        return DateExamples(self.coder, templates, days, self.dates.encode(templates, days))

    def drawn(self, count: int, rng: np.random.Generator) -> DateExamples:
        """Examples of training days, language, format and day drawn uniformly."""
        templates = rng.integers(len(self.dates.first), size=count)
        return self.written(templates, rng.choice(days_of("train"), count))

    def questions(self, split: str, per_language: int, seed: int) -> DateExamples:
        """Equally many in every language, on days of one split, the formats in turn."""
        rng = np.random.default_rng(seed)
        count = per_language * len(self.dates.languages)
        languages = np.repeat(np.arange(len(self.dates.languages)), per_language)
        formats = np.arange(count) % per_language % len(FORMATS)
        return self.written(languages * len(FORMATS) + formats, rng.choice(days_of(split), count))
