"""What regression learns from its data: tokens, and the scale of the numbers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard._io.files import read_json_file, write_whole
from regard._printable import shown
from regard.config import Between, LargeCount, Positive, checked
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, OneText, TokenCoder, load_tables

SCALE = "scale.json"


@dataclass(frozen=True)
class Scale:
    """Numbers in deviations from their mean.

    >>> scale = Scale.of(np.array([1.0, 5.0]))
    >>> scale, scale.scaled(np.array([3.0, 7.0])), scale.restored(2.0)
    (Scale(mean=3.0, deviation=2.0), array([0., 2.]), 7.0)
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, numbers: np.ndarray) -> "Scale":
        """The scale of these numbers; raises `ValueError` when they are all the same."""
        mean, deviation = float(numbers.mean()), float(numbers.std())
        if numbers.min() == numbers.max():
            raise ValueError(
                f"the number is {numbers[0]:g} in all {len(numbers):,} training examples; at "
                "least 2 different ones are needed"
            )
        return cls(mean, deviation)

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers as deviations."""
        return (numbers - self.mean) / self.deviation

    def restored(self, number: float) -> float:
        """The number that a deviation stands for."""
        return number * self.deviation + self.mean


@dataclass(frozen=True, eq=False)
class NumberedTexts(Batch):
    """Texts and their numbers, in deviations from the mean."""

    source: Sequences
    number: Float[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of texts."""
        return len(self.number)


@dataclass(frozen=True, eq=False)
class NumberCoder(TokenCoder):
    """A tokenizer and the scale of numbers: what is learned from any texts with numbers.

    Args:
        longest: greatest number of tokens that are read of a text; longer ones are cut.
    """

    tokenizer: Tokenizer
    scale: Scale
    longest: int

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network: one output, as of a classifier with one class."""
        return {**super().sizes, "classes": 1}

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        write_whole(folder / SCALE, json.dumps(asdict(self.scale)).encode())
        return [*super().save(folder), SCALE]


@dataclass(frozen=True, eq=False)
class TextsAndNumbers(OneText, NumberCoder):
    """The tokenizer of the texts and the scale of the numbers.

    Args:
        sentences: mark the end of every sentence, for networks that read documents.
    """

    sentences: bool = False

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {"text": self.texts, "number": self.scale}

    def collate(self, examples: Examples, rows: np.ndarray) -> NumberedTexts:
        """These examples as a batch."""
        (sources,) = examples.take(rows)
        return NumberedTexts(
            sequences_of(sources, self.tokenizer.pad), scaled_numbers(examples, rows)
        )

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "TextsAndNumbers":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        kinds = {"longest": LargeCount, "sentences": bool}
        known = said(folder, entries, kinds, list(kinds))
        tokenizer, scale = Tokenizer.load(folder / TOKENIZER), load_scale(folder / SCALE)
        return cls(tokenizer, scale, **known, **load_tables(folder))


def scaled_numbers(examples: Examples, rows: np.ndarray) -> Float[Tensor, " batch"]:
    """The numbers of these examples, in deviations from the mean."""
    return torch.from_numpy(examples.labels[rows].astype(np.float32))


def load_scale(path: Path) -> Scale:
    """The scale in a file; raises `ValueError` when it is damaged."""
    said_there = read_json_file(path)
    kinds: dict[str, Any] = {
        "mean": Annotated[float, Between(above=-inf, below=inf)],
        "deviation": Positive,
    }
    if not isinstance(said_there, dict) or said_there.keys() != kinds.keys():
        why = f"it has to say mean and deviation, and says {shown(said_there)}"
        raise ValueError(f"{path} is damaged: {why}; copy the whole run folder again")
    try:
        return Scale(**{name: checked(name, said_there[name], kinds[name]) for name in kinds})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}; copy the whole run folder again") from None


def numbers_of(rows: Any) -> np.ndarray:
    """The numbers of a split of a corpus."""
    batches = (rows[start : start + 1000]["number"] for start in range(0, len(rows), 1000))
    return np.concatenate([np.array(batch, dtype=np.float64) for batch in batches])
