"""What a task is: data, network, loss, metric and what to show, behind one small interface.

A task is trained by `regard.train`, which knows nothing else of it. What it leaves behind is a
predictor: the network with what turns input into numbers and back.
"""

import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._metrics import LOWER_IS_BETTER
from regard.config import Config, fields_of
from regard.data.feeding.batching import by_tokens
from regard.data.reading.corpus import Corpus
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.data.schema import Schema
from regard.tasks.details import Details
from regard.tasks.predictor import Answer, Coder, Predictor, device_of

Record = dict[str, Any]
"""What is known of one example after an evaluation: plain values that fit into JSON."""

Confusion = tuple[Sequence[str], Sequence[Sequence[int]]]
"""Labels, and how often each (rows) was answered with each (columns)."""

AT_ONCE = 64
"""Examples that are asked together."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A corpus as numbers, with what was learned from its training part.

    Args:
        coder: stands between what is written and the numbers.
        examples: the numbers of each split.
        texts: the splits as they were written, with the columns of the task's schema.
    """

    coder: Any
    examples: Mapping[str, Any]
    texts: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The examples of one epoch, as a feed takes them."""

    coder: Coder
    examples: Any

    @property
    def lengths(self) -> np.ndarray:
        """The lengths that batches are planned by, `[n columns]`."""
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Any:
        """These examples as a batch."""
        return self.coder.collate(self.examples, rows)


class Task(ABC):
    """The base of tasks: learn from a corpus, be evaluated, answer.

    Args:
        data: a corpus, what `prepare` made of one, or whatever `regard.data` can read; None for a
            task that makes its own.
        model: a network that meets the task's protocol (see `regard.models.protocols`), or what
            makes one from the sizes that the data decides, such as `lambda vocab, classes, **_:
            Mine(vocab, classes)`.
        settings: of the task; its defaults if None.
        seed: of what is drawn from the data.
        fixed: how many validation examples are shown again and again while training lasts.
    """

    name: ClassVar[str]
    metric: str
    """The number of `score` by which the best network is chosen (see `metric_with`)."""
    schema: ClassVar[Schema | None] = None
    """The columns it reads; None for one that reads no data."""
    settings_type: ClassVar[type[Config]]
    predictor_type: ClassVar[type[Predictor]]
    unit: ClassVar[str] = "tokens"
    """What batches count as their tokens."""
    evaluates_training_part: ClassVar[bool] = False
    """Whether what is asked in an evaluation may be held out of the training part itself."""

    def __init__(
        self,
        data: Encoded | Corpus | str | None,
        model: nn.Module | Callable[..., nn.Module],
        settings: Any = None,
        *,
        seed: int = 0,
        fixed: int = 4,
    ) -> None:
        self.settings: Any = self.settings_type() if settings is None else settings
        self.seed = seed
        self.metric = self.metric_with(self.settings)
        self.data = data if isinstance(data, Encoded) else self.prepare(data, self.settings)
        self.coder = self.data.coder
        made = model if isinstance(model, nn.Module) else model(**self.coder.sizes)
        self.predictor: Any = self.predictor_type(made, self.coder)
        self.stream: Callable[[int], Any] | None = None
        self.fixed = self.shown(fixed) if fixed else []

    @property
    def model(self) -> Any:
        """The network."""
        return self.predictor.model

    @classmethod
    @abstractmethod
    def learn(cls, corpus: Corpus, settings: Any) -> Any:
        """The coder for a corpus: tokens, labels and so on of its training part."""

    @abstractmethod
    def loss(self, batch: Any) -> Float[Tensor, ""]:
        """The sum of the losses of a batch's targets."""

    @abstractmethod
    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """A record for each of these examples, few enough for one batch."""

    @abstractmethod
    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The metrics of a whole split, from the records of all its examples."""

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """How often each label was answered with each; None where there is nothing to confuse."""
        return None

    def remarks(self, split: str, records: Sequence[Record]) -> list[str]:
        """What an evaluation shows that its metrics do not: a sentence each, for the user to read.

        Args:
            split: that was evaluated.
            records: of all its examples.
        """
        return []

    @classmethod
    def longest_within(cls, positions: int) -> int:
        """How long each text may be for what is read at once to have so many positions."""
        return positions

    @classmethod
    def metric_with(cls, settings: Any) -> str:
        """The number of `score` by which the best network is chosen with these settings."""
        return cls.metric

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """What else the records of a whole split tell: tables, the worst examples, remarks.

        A task that says nothing of its own tells nothing.
        """
        return Details()

    def written(self, split: str, place: int) -> tuple[str, str]:
        """An example of a split as it stands in the data: what is asked, and the answer.

        The last column that must be there is the answer; several before it have tabs between.
        """
        assert self.schema is not None, "a task that makes its own data writes its own"
        row = self.data.texts[split][int(self.data.examples[split].rows[place])]
        *asked, answer = (str(row[column.name]) for column in self.schema.required)
        return "\t".join(asked), answer

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some examples to show while training lasts: an input, and the answer that is right.

        The last column that must be there is the answer; several before it are one input.
        """
        if self.schema is None or "valid" not in self.data.texts:
            return []
        rows = self.data.texts["valid"][:count]
        *inputs, answers = (rows[column.name] for column in self.schema.required)
        asked = inputs[0] if len(inputs) == 1 else zip(*inputs, strict=True)
        return list(zip(asked, map(str, answers), strict=True))

    def notes(self) -> list[str]:
        """What of the training data cannot be learned, a sentence each; usually nothing."""
        return []

    @classmethod
    def prepare(
        cls,
        data: Corpus | str | None,
        settings: Any = None,
        place: Path | None = None,
        coder: Any = None,
    ) -> Encoded:
        """Learn the coder from the training part, and write every split as numbers.

        Args:
            data: a corpus, or what `regard.data` can read as this task's.
            place: a folder for the numbers; a temporary one that goes with them if None.
            coder: one that was learned from this data before; nothing is learned then.
        """
        if cls.schema is None or data is None:
            raise ValueError(f"{cls.name} learns from data; give a corpus, or where it is")
        settings = cls.settings_type() if settings is None else settings
        request = DataRequest((cls.schema,), cls.name)
        corpus = read(data, request) if isinstance(data, str) else data
        folder = place or Path(tempfile.mkdtemp(prefix="regard-"))
        coder = cls.learn(corpus, settings) if coder is None else coder
        coder.save(folder)
        encoded = Encoded(coder, coder.encode(corpus.splits, folder), corpus.splits)
        if place is None:
            weakref.finalize(encoded, rmtree, folder, ignore_errors=True)
        return encoded

    @classmethod
    def opened(cls, corpus: Corpus, settings: Any, place: Path) -> Encoded:
        """What `prepare` wrote into `place` for the same corpus and settings."""
        coder = cls.predictor_type.load_coder(place, cls.learned_entries(settings))
        return Encoded(coder, coder.opened(corpus.splits, place), corpus.splits)

    @classmethod
    def learned_entries(cls, settings: Any) -> dict[str, Any]:
        """What the settings say of the coder, as `task.json` would (see `Coder.entries`)."""
        return {name: getattr(settings, name) for name in fields_of(cls.settings_type)}

    @classmethod
    def of(
        cls, predictor: Any, splits: Mapping[str, Any], place: Path, settings: Any = None
    ) -> "Task":
        """The task of a trained predictor, which reads these splits as it has learned to."""
        examples = predictor.coder.encode(splits, place)
        return cls(Encoded(predictor.coder, examples, splits), predictor.model, settings, fixed=0)

    def part(self, epoch: int) -> Any:
        """The training examples of one epoch, the same at every call."""
        if self.stream is not None:
            return self.stream(epoch)
        return Part(self.coder, self.data.examples["train"])

    def stream_part(self, rows: Sequence[Mapping[str, Any]]) -> Part:
        """Examples as they come from a stream."""
        return Part(self.coder, self.coder.encode_rows(rows))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """The micro-batches of an epoch: row numbers."""
        return by_tokens(lengths, self.settings.batch_tokens, rng)

    def size(self, split: str) -> int:
        """The number of examples in a split, 0 where there is no such split."""
        return len(self.data.examples[split]) if split in self.data.examples else 0

    def batch(self, split: str, rows: np.ndarray) -> Any:
        """These examples of a split as a batch, where the network is."""
        return self.coder.collate(self.data.examples[split], rows).to(device_of(self.model))

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, num_answers: int = 1) -> list[Record]:
        """Ask these examples: one record for each, in their order."""
        records: list[Record] = [{} for _ in rows]
        lengths = self.data.examples[split].lengths
        order = np.argsort(lengths[rows].sum(1), kind="stable")
        for start in range(0, len(rows), self.at_once):
            some = order[start : start + self.at_once]
            found = self.ask(split, rows[some], num_answers)
            for row, record in zip(some, found, strict=True):
                records[row] = record
        return records

    @property
    def at_once(self) -> int:
        """How many examples are asked together."""
        return AT_ONCE


def better(metric: str, new: float, old: float | None) -> bool:
    """Is a metric's new value better than the old one (None: there is none yet)?

    What is not finite is never better.

    >>> better("loss", 1.0, 2.0), better("bleu", 30.0, None), better("bleu", 30.0, 31.0)
    (True, True, False)
    """
    if old is None or not isfinite(new):
        return isfinite(new)
    return new < old if metric in LOWER_IS_BETTER else new > old


def as_sample(answer: Answer, target: str | None) -> Mapping[str, Any]:
    """An answer as plain values, weights rounded to three decimals, for `samples.jsonl`."""
    weights = None
    if answer.weights is not None:
        # Most of many weights are nothing, which a 0 says as well as a 0.0.
        weights = [[round(w, 3) or 0 for w in row] for row in answer.weights.tolist()]
    return {
        "input": answer.text,
        "answer": answer.answers[0][0],
        "wanted": target,
        "inputs": list(answer.inputs),
        "outputs": list(answer.outputs),
        "weights": weights,
    }
