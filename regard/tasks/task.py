"""What a task is: data, model, loss, metric and what to show, behind one small interface.

A task is trained by `regard.train`, which knows nothing else of it. What it leaves behind is a
predictor: the model with what turns text into numbers and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard._metrics import LOWER_IS_BETTER
from regard.data.feeding.feed import Part

Record = dict[str, Any]
"""What is known of one example after an examination: plain values that fit into JSON."""


@runtime_checkable
class Batch(Protocol):
    """Examples as tensors.

    `labels` is the number of labels the loss sums over, `tokens` the number of tokens read and
    written, and `cells` the same with padding.
    """

    @property
    def labels(self) -> int: ...

    @property
    def tokens(self) -> int: ...

    @property
    def cells(self) -> int: ...

    def to(self, device: torch.device) -> "Batch": ...


@dataclass(frozen=True, eq=False)
class Answer:
    """What a predictor says to one text: the answers found, best first, and where it looked.

    `answers` are pairs of an answer and its log-probability in nats. `inputs` and `outputs` are the
    tokens that the columns and rows of `weights` belong to; `weights` is None where nothing was
    asked to be shown. `unknown` names characters of the text that the model has never seen.
    """

    text: str
    answers: tuple[tuple[str, float], ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    weights: Float[Tensor, "q_len k_len"] | None = None
    unknown: tuple[str, ...] = ()


@runtime_checkable
class Predictor(Protocol):
    """A trained model and what it needs to read and write text."""

    @property
    def model(self) -> Any: ...

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """Answer texts, each for itself; raises `ValueError` for one it cannot read."""

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder, with these weights or the model's own."""


@runtime_checkable
class Task(Protocol):
    """What the loop trains and examines.

    `metric` names the number of `score` by which the best model is chosen. `fixed` are the examples
    that are shown again and again while training lasts: pairs of a text and the wanted answer.
    """

    @property
    def name(self) -> str: ...

    @property
    def metric(self) -> str: ...

    @property
    def predictor(self) -> Predictor: ...

    @property
    def fixed(self) -> Sequence[tuple[str, str | None]]: ...

    def part(self, epoch: int) -> Part:
        """The training examples of one epoch, the same at every call."""

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """The micro-batches of an epoch: row numbers."""

    def loss(self, batch: Any) -> Float[Tensor, ""]:
        """The sum of the losses of a batch's labels, in nats."""

    def size(self, split: str) -> int:
        """The number of examples in `valid` or `test`, 0 where there is no such split."""

    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """Ask these examples: one record for each, in their order."""

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The metrics of a whole split, from the records of all its examples."""


def better(metric: str, new: float, old: float | None) -> bool:
    """Is a metric's new value better than the old one (None: there is none yet)?

    What is not finite is never better.

    >>> better("loss", 1.0, 2.0), better("bleu", 30.0, None), better("bleu", 30.0, 31.0)
    (True, True, False)
    """
    if old is None or not isfinite(new):
        return isfinite(new)
    return new < old if metric in LOWER_IS_BETTER else new > old


def as_sample(answer: Answer, wanted: str | None) -> Mapping[str, Any]:
    """An answer as plain values, weights rounded to three decimals, for `samples.jsonl`."""
    weights = None
    if answer.weights is not None:
        weights = [[round(w, 3) for w in row] for row in answer.weights.tolist()]
    return {
        "input": answer.text,
        "answer": answer.answers[0][0],
        "wanted": wanted,
        "inputs": list(answer.inputs),
        "outputs": list(answer.outputs),
        "weights": weights,
    }
