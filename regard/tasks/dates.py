"""Dates in every language to ISO 8601: the data, the model, the loss and the metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard._typing import Normalizer, Score
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.feeding.buckets import buckets
from regard.data.synthetic.cldr_dates import FORMATS, CLDRDates
from regard.data.synthetic.days import NUM_DAYS, day, days_of
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.normalizers import softmax
from regard.tasks.date_reader import MAX_LENGTH, DateReader
from regard.tasks.pairs import Pairs, pair_loss, write
from regard.tasks.task import Record

COMMON = tuple(
    "en zh hi es ar fr bn pt ru ur id de ja pcm mr te tr ta yue vi fil ko fa ha sw "
    "jv it pa kn gu th am bho yo my uk pl ml or mai uz sd ro nl ku ps ig ms om az".split()
)
"""Fifty of the most spoken languages of CLDR, first and second speakers, as commonly estimated."""

BATCH_SIZE = 128
"""Half as many would learn more from each example, but not from each second."""

POOL = 50_000
"""Number of examples in an epoch: they are drawn at a time and sorted by length."""

LOOKED_AT, TESTED = 600, 2000
"""Questions, in all languages together, of a look while training lasts and of the last one."""

DRAWN = ("fr", "ar", "zh")
"""Languages whose alignments are shown, if they are learned: three scripts, three orders."""


class Dates:
    """The task for some languages.

    A training example is a language, one of its four formats and a day of the training split, each
    drawn uniformly; an epoch is `POOL` of them, drawn from the seed and the epoch's number. Days of
    the other splits are never trained on, in no language.

    Raises `ImportError` without Babel.

    >>> task = Dates(["en", "fr"])
    >>> part = task.part(0)
    >>> part.batch(np.arange(32)).target.shape
    torch.Size([32, 12])
    """

    name, metric = "dates", "exact"

    def __init__(
        self,
        languages: Sequence[str],
        score: Score | None = None,
        normalizer: Normalizer = softmax,
        *,
        seed: int = 0,
    ) -> None:
        self.languages, self.seed = tuple(languages), seed
        self.dates = CLDRDates.compile(languages)
        target = Vocabulary.build("0123456789-")
        names = (target.encode(day(number).isoformat()) for number in range(NUM_DAYS))
        self.targets = Ragged.of(names)
        config = RNNsearchConfig(
            source_vocab=len(self.dates.vocabulary),
            target_vocab=len(target),
            embed_dim=64,
            hidden_dim=96,
            state_dim=96,
            align_dim=32,
            maxout_dim=48,
        )
        model = RNNsearch(config, score, normalizer)
        self.predictor: Any = DateReader(model, self.dates.vocabulary, target)
        count = len(self.languages)
        self.asked = {
            "valid": self.examination("valid", max(2, LOOKED_AT // count), seed=1),
            "test": self.examination("test", max(40, TESTED // count), seed=2),
        }
        self.fixed = self.shown()

    def part(self, epoch: int) -> "Drawn":
        """The training examples of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        templates = rng.integers(len(self.dates.first), size=POOL)
        return self.drawn(Examination(templates, rng.choice(days_of("train"), POOL)))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return list(buckets(lengths[:, 0], BATCH_SIZE, rng))

    def loss(self, batch: Pairs) -> Float[Tensor, ""]:
        """Summed cross-entropy of the answers' characters, `</s>` included."""
        return pair_loss(self.predictor.model, batch)

    def size(self, split: str) -> int:
        return len(self.asked[split].days) if split in self.asked else 0

    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each question: its language, the answer, and whether that is right."""
        asked, target = self.asked[split], self.predictor.target
        part = self.drawn(Examination(asked.templates[rows], asked.days[rows]))
        found = write(self.predictor.model, part.texts, target, MAX_LENGTH, beams, batch_size=512)
        wanted = [day(int(number)).isoformat() for number in part.days]
        answers = ["".join(target.decode(best.tokens)) for best, *_ in found]
        languages = (self.languages[t // len(FORMATS)] for t in asked.templates[rows])
        return [
            {"language": language, "answer": answer, "right": answer == right}
            for language, answer, right in zip(languages, answers, wanted, strict=True)
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The share of answers that are wholly right, and that share in common languages."""
        shares = by_language(records)
        common = [shares[tag] for tag in COMMON if tag in shares]
        scores = {"exact": sum(r["right"] for r in records) / len(records)}
        return scores | ({"exact_common": sum(common) / len(common)} if common else {})

    def examination(self, split: str, per_language: int, seed: int) -> "Examination":
        """Equally many questions in every language, on days of one split, the formats in turn."""
        rng = np.random.default_rng(seed)
        count = per_language * len(self.languages)
        languages = np.repeat(np.arange(len(self.languages)), per_language)
        formats = np.arange(count) % per_language % len(FORMATS)
        return Examination(languages * len(FORMATS) + formats, rng.choice(days_of(split), count))

    def drawn(self, asked: "Examination") -> "Drawn":
        """These examples, encoded."""
        texts = self.dates.encode(asked.templates, asked.days)
        return Drawn(texts, asked.days, self.targets, self.predictor.target)

    def shown(self) -> list[tuple[str, str | None]]:
        """One day of the test split, written in full in three languages, and its name."""
        tags = dict.fromkeys([*(tag for tag in DRAWN if tag in self.languages), *self.languages])
        full = [self.languages.index(tag) * len(FORMATS) for tag in list(tags)[:3]]
        # A day of three different numbers, so that one can tell which of them was looked at.
        number = next(
            n for n in days_of("test").tolist() if day(n).year == 2026 and day(n).day > 12
        )
        texts = self.dates.texts(np.array(full), np.repeat(number, len(full)))
        return [(text, day(int(number)).isoformat()) for text in texts]


@dataclass(frozen=True, eq=False)
class Examination:
    """Examples that are asked: `templates` and `days` as in `CLDRDates`."""

    templates: np.ndarray
    days: np.ndarray


@dataclass(frozen=True, eq=False)
class Drawn:
    """Examples, encoded: texts, and the names of their days among all `targets`."""

    texts: Ragged
    days: np.ndarray
    targets: Ragged
    coder: Vocabulary

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text `[n 1]`."""
        return self.texts.lengths[:, None]

    def batch(self, rows: np.ndarray) -> Pairs:
        return Pairs.of(self.texts.take(rows), self.targets.take(self.days[rows]), self.coder)


def by_language(records: Sequence[Record]) -> dict[str, float]:
    """The share of right answers in each language, the worst first."""
    right: dict[str, list[bool]] = {}
    for record in records:
        right.setdefault(record["language"], []).append(record["right"])
    shares = {tag: sum(each) / len(each) for tag, each in right.items()}
    return dict(sorted(shares.items(), key=lambda item: item[1]))
