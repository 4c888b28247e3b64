"""The base of tasks: data, network, loss, metric and samples to show, behind a small interface.

A task is trained by `regard.train`, which knows only this interface. The result is a predictor: the
network with its encoding and decoding.
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
from regard.data.encoding.token_settings import TokenSettings
from regard.data.feeding.batching import by_tokens
from regard.data.reading.corpus import Corpus
from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.data.schema import Schema
from regard.tasks.details import Details
from regard.tasks.predictor import Answer, Coder, Predictor, device_of

Record = dict[str, Any]
"""The evaluation result of one example: plain values for JSON."""

Confusion = tuple[Sequence[str], Sequence[Sequence[int]]]
"""Labels, and the confusion matrix of true (rows) and predicted (columns) ones."""

AT_ONCE = 64
"""Examples predicted together."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """An encoded corpus, with what was learned from its training split.

    Args:
        coder: converts between text and numbers.
        examples: the encoded splits.
        texts: the original splits, with the columns of the task's schema.
    """

    coder: Any
    examples: Mapping[str, Any]
    texts: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The examples of one epoch."""

    coder: Coder
    examples: Any

    @property
    def lengths(self) -> np.ndarray:
        """The lengths for batch planning, `[n columns]`."""
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Any:
        """These examples as a batch."""
        return self.coder.collate(self.examples, rows)


class Task(ABC):
    """The base of tasks: learn from a corpus, evaluate, predict.

    Args:
        data: a corpus, the result of `prepare`, or anything `regard.data` can read; None for a task
            that generates its own.
        model: a network that implements the task's protocol (see `regard.models.protocols`), or a
            factory that takes the sizes determined by the data, such as `lambda vocab, classes,
            **_: Mine(vocab, classes)`.
        settings: of the task; its defaults if None.
        seed: of everything sampled from the data.
        fixed: number of fixed validation examples shown throughout training.
    """

    name: ClassVar[str]
    metric: str
    """The metric of `score` that selects the best network (see `metric_with`)."""
    schema: ClassVar[Schema | None] = None
    """The columns it reads; None for one that reads no data."""
    settings_type: ClassVar[type[Config]]
    predictor_type: ClassVar[type[Predictor]]
    unit: ClassVar[str] = "tokens"
    """What batches count as tokens."""
    evaluates_training_part: ClassVar[bool] = False
    """Whether evaluation examples may be held out from the training split."""

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
        """The coder for a corpus: tokens, labels and so on of its training split."""

    @abstractmethod
    def loss(self, batch: Any) -> Float[Tensor, ""]:
        """The sum of the losses of a batch's targets."""

    @abstractmethod
    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """An evaluation record for each of these examples, few enough for one batch."""

    @abstractmethod
    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The metrics of a whole split, from the records of all its examples."""

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """The confusion matrix; None if the task has no labels."""
        return None

    def remarks(self, split: str, records: Sequence[Record]) -> list[str]:
        """Observations beyond the metrics of an evaluation, one sentence each, for the user.

        Args:
            split: the evaluated split.
            records: of all its examples.
        """
        return []

    @classmethod
    def longest_within(cls, positions: int) -> int:
        """How long each text may be if the network's input has this many positions."""
        return positions

    @classmethod
    def metric_with(cls, settings: Any) -> str:
        """The metric of `score` that selects the best network with these settings."""
        return cls.metric

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Details from the records of a whole split: tables, the worst examples, remarks.

        Empty unless overridden.
        """
        return Details()

    def written(self, split: str, place: int) -> tuple[str, str]:
        """An example of a split as in the data: the input, and the answer.

        The last required column is the answer; several before it are separated by tabs.
        """
        assert self.schema is not None, "a task that makes its own data writes its own"
        row = self.data.texts[split][int(self.data.examples[split].rows[place])]
        *asked, answer = (str(row[column.name]) for column in self.schema.required)
        return "\t".join(asked), answer

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some examples to show during training: an input, and the right answer.

        The last required column is the answer; several before it form one input.
        """
        if self.schema is None or "valid" not in self.data.texts:
            return []
        rows = self.data.texts["valid"][:count]
        *inputs, answers = (rows[column.name] for column in self.schema.required)
        asked = inputs[0] if len(inputs) == 1 else zip(*inputs, strict=True)
        return list(zip(asked, map(str, answers), strict=True))

    def notes(self) -> list[str]:
        """Which training data cannot be learned from, a sentence each; usually none."""
        return []

    def token_notes(self) -> list[str]:
        """From how many rows the tokens were learned, where that is not all."""
        tokens = getattr(self.settings, "tokens", None)
        if not isinstance(tokens, TokenSettings) or "train" not in self.data.texts:
            return []
        return tokens.notes(len(self.data.texts["train"]))

    @classmethod
    def prepare(
        cls,
        data: Corpus | str | None,
        settings: Any = None,
        place: Path | None = None,
        coder: Any = None,
    ) -> Encoded:
        """Learn the coder from the training split, and encode every split.

        Args:
            data: a corpus, or anything `regard.data` can read for this task.
            place: a folder for the encoded data; a temporary one, deleted with it, if None.
            coder: one that was already learned from this data; then nothing is learned.
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
        """Open what `prepare` wrote into `place` for the same corpus and settings."""
        coder = cls.predictor_type.load_coder(place, cls.learned_entries(settings))
        return Encoded(coder, coder.opened(corpus.splits, place), corpus.splits)

    @classmethod
    def learned_entries(cls, settings: Any) -> dict[str, Any]:
        """The coder's entries set by the settings, as in `task.json` (see `Coder.entries`)."""
        return {name: getattr(settings, name) for name in fields_of(cls.settings_type)}

    @classmethod
    def of(
        cls, predictor: Any, splits: Mapping[str, Any], place: Path, settings: Any = None
    ) -> "Task":
        """The task of a trained predictor, which encodes these splits with its own coder."""
        examples = predictor.coder.encode(splits, place)
        return cls(Encoded(predictor.coder, examples, splits), predictor.model, settings, fixed=0)

    def part(self, epoch: int) -> Any:
        """The training examples of one epoch, the same in every call."""
        if self.stream is not None:
            return self.stream(epoch)
        return Part(self.coder, self.data.examples["train"])

    def stream_part(self, rows: Sequence[Mapping[str, Any]]) -> Part:
        """Examples from a stream."""
        return Part(self.coder, self.coder.encode_rows(rows))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """The micro-batches of an epoch: row indices."""
        return by_tokens(lengths, self.settings.batch_tokens, rng)

    def size(self, split: str) -> int:
        """The number of examples in a split, 0 if there is no such split."""
        return len(self.data.examples[split]) if split in self.data.examples else 0

    def batch(self, split: str, rows: np.ndarray) -> Any:
        """These examples of a split as a batch, on the network's device."""
        return self.coder.collate(self.data.examples[split], rows).to(device_of(self.model))

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, num_answers: int = 1) -> list[Record]:
        """Evaluate these examples: one record for each, in order."""
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
        """The batch size of predictions."""
        return AT_ONCE


def better(metric: str, new: float, old: float | None) -> bool:
    """Whether a metric's new value is better than the old one (None: there is none yet).

    A value that is not finite is never better.

    >>> better("loss", 1.0, 2.0), better("bleu", 30.0, None), better("bleu", 30.0, 31.0)
    (True, True, False)
    """
    if old is None or not isfinite(new):
        return isfinite(new)
    return new < old if metric in LOWER_IS_BETTER else new > old


def as_sample(answer: Answer, target: str | None, pictured: bool = True) -> Mapping[str, Any]:
    """An answer as plain values, weights rounded to three decimals, for `samples.jsonl`.

    Args:
        pictured: whether the image that was asked about is among them.
    """
    seen = answer if answer.areas is None else answer.areas
    shown = seen.picture if pictured else None
    picture = {} if shown is None else {"picture": shown.data(len(seen.inputs))}
    weights, digits = None, 3 if answer.areas is None else 4
    if seen.weights is not None:
        # Most of many weights are nothing, which a 0 says as well as a 0.0.
        weights = [[round(w, digits) or 0 for w in row] for row in seen.weights.tolist()]
    return {
        "input": answer.text,
        "answer": answer.answers[0][0],
        "wanted": target,
        "inputs": list(seen.inputs),
        "outputs": list(seen.outputs),
        "weights": weights,
        **picture,
    }
