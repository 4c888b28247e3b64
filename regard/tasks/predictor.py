"""Predictors: a trained network with its encoding of inputs and decoding of answers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.models.attention import Attends
from regard.tasks.areas import Areas
from regard.tasks.exchange import load_model, save_model
from regard.view.answer import drawn_answer
from regard.view.notebook import answer_html
from regard.view.patches import Patches

Self = TypeVar("Self", bound="Predictor")


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """A prediction for one input: the answers found, best first, and the weights.

    `answers` are pairs of an answer and its log-probability. `inputs` and `outputs` are the tokens
    of the columns and rows of `weights`; `weights` is None if the network has no attention.
    `unknown` lists characters of the text that the network has never seen; `picture` is what it
    saw of an image, whose patches the inputs are; `areas` are maps over an image for a page.
    """

    text: str
    answers: tuple[tuple[str, float], ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    weights: Float[Tensor, "q_len k_len"] | None = None
    unknown: tuple[str, ...] = ()
    picture: Patches | None = None
    areas: Areas | None = None

    @property
    def best(self) -> str:
        """The best answer."""
        return self.answers[0][0]

    def __repr__(self) -> str:
        return drawn_answer(self)

    def _repr_html_(self) -> str:
        return answer_html(self)


@runtime_checkable
class Coder(Protocol):
    """What a task learns from its training data besides the network: tokenizers, labels, items.

    It converts between data and a network's numbers, in both directions, and is saved next to the
    network's weights.
    """

    @property
    def sizes(self) -> Mapping[str, Any]:
        """The network sizes determined by the data: `vocab`, `classes`, `unknown` ... by name."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> Mapping[str, Any]:
        """Encode every split into folders under `place`, and open them."""

    def opened(self, splits: Mapping[str, Any], place: Path) -> Mapping[str, Any]:
        """Open what `encode` wrote."""

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Encode some rows of a stream, in memory."""

    def collate(self, examples: Any, rows: np.ndarray) -> Any:
        """These encoded examples as a batch."""

    def save(self, folder: Path) -> list[str]:
        """Write the files into a folder and return their names."""

    def entries(self) -> dict[str, Any]:
        """Its entries in `task.json`; together with the files they are all that `load` needs."""


class Predictor(ABC):
    """The base of predictors.

    Args:
        model: the network.
        coder: the coder it was trained with.
    """

    task: ClassVar[str]
    """The name of the task, as in `task.json`."""
    asked: ClassVar[str] = '"a text"'
    """An example input, as typed on a command line."""

    def __init__(self, model: Any, coder: Any) -> None:
        self.model, self.coder = model, coder

    @abstractmethod
    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        """Predict each input independently; raises `ValueError` for one it cannot read."""

    @classmethod
    @abstractmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> Any:
        """Load the coder that `save` wrote; raises `ValueError` for a damaged file."""

    @staticmethod
    def parse(text: str) -> Any:
        """The input that a command-line text represents."""
        return text

    @staticmethod
    def typed(given: Any) -> str:
        """The command-line text of an input: the inverse of `parse`."""
        return str(given)

    def input_of(self, text: str) -> Any:
        """The input that a text represents for this network; usually the same as `parse`.

        Raises `ValueError` for a text that represents none.
        """
        return self.parse(text)

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the model folder, with these weights or the network's own."""
        others = self.coder.save(folder)
        about = {"task": self.task, **self.coder.entries()}
        save_model(folder, self.model, weights, about, others, self.asked)

    @classmethod
    def load(
        cls: type[Self],
        folder: Path,
        entries: Mapping[str, Any],
        attend: Attends = None,
        model: nn.Module | None = None,
    ) -> Self:
        """Load what `save` wrote; raises `ValueError` when network and coder do not fit together.

        Args:
            entries: the contents of `task.json`.
            attend, model: as in `regard.load`.
        """
        coder = cls.load_coder(folder, entries)
        network = load_model(folder, attend, model)
        require_same(folder, network, coder)
        return cls(network, coder)


def require_same(folder: Path, model: Any, coder: Any) -> None:
    """Raise `ValueError` unless the network's sizes match the coder's files."""
    config = getattr(model, "config", None)
    for name in getattr(config, "from_data", ()):
        wanted, found = getattr(config, name), coder.sizes.get(name)
        # What a configuration does not say, older versions did not know.
        known = isinstance(found, int) and not isinstance(found, bool) and wanted is not None
        if known and found != wanted:
            raise ValueError(
                f"{folder} is inconsistent: its network has {name} {wanted}, its files say "
                f"{found}; copy the whole run folder again"
            )


@runtime_checkable
class HasParameters(Protocol):
    """The part of a network's interface that `device_of` needs."""

    def parameters(self) -> Iterator[Tensor]: ...


def device_of(model: HasParameters) -> torch.device:
    """The device of a model's inputs: that of its first parameter, or the CPU if it has none.

    >>> device_of(torch.nn.Linear(2, 3)), device_of(torch.nn.ReLU())
    (device(type='cpu'), device(type='cpu'))
    """
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
