"""What classification learns from its data: tokens and labels."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_json_file, write_whole
from regard._printable import shown
from regard.config import LargeCount
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, OneText, TokenCoder, load_tables

LABELS = "labels.json"


@runtime_checkable
class HasLabels(Protocol):
    """Examples with a number for the label of each."""

    @property
    def labels(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class LabelledTexts(Batch):
    """Texts and their labels, -1 for one that is not known."""

    source: Sequences
    label: Int[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of texts that have a label."""
        return int((self.label >= 0).sum())


@dataclass(frozen=True, eq=False)
class LabelCoder(TokenCoder):
    """A tokenizer and the names of labels: what is learned from any texts with labels.

    Args:
        longest: greatest number of tokens that are read of a text; longer ones are cut.
    """

    tokenizer: Tokenizer
    labels: tuple[str, ...]
    longest: int

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {**super().sizes, "classes": len(self.labels), "labels": self.labels}

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        save_labels(self.labels, folder)
        return [*super().save(folder), LABELS]


@dataclass(frozen=True, eq=False)
class TextsAndLabels(OneText, LabelCoder):
    """The tokenizer of the texts and the names of the labels.

    Args:
        sentences: mark the end of every sentence, for networks that read documents.
    """

    sentences: bool = False

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {"text": self.texts, "label": self.labels}

    def collate(self, examples: Examples, rows: np.ndarray) -> LabelledTexts:
        """These examples as a batch."""
        (sources,) = examples.take(rows)
        return LabelledTexts(sequences_of(sources, self.tokenizer.pad), labels_of(examples, rows))

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "TextsAndLabels":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, {"longest": LargeCount, "sentences": bool}, ["longest"])
        tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
        return cls(tokenizer, labels, **known, **load_tables(folder))


def labels_of(examples: HasLabels, rows: np.ndarray) -> Int[Tensor, " batch"]:
    """The numbers of these examples' labels, -1 for one that is not known."""
    return torch.from_numpy(examples.labels[rows].astype(np.int64))


def save_labels(labels: Sequence[str], folder: Path) -> None:
    """Write the names of the labels into a folder that exists."""
    write_whole(folder / LABELS, json.dumps(labels, ensure_ascii=False).encode())


def load_labels(folder: Path) -> tuple[str, ...]:
    """What `save_labels` wrote; raises `ValueError` when the file is damaged."""
    path = folder / LABELS
    names = read_json_file(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path} is not a list of names; copy the whole run folder again")
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"{path} has {shown(twice)} twice; copy the whole run folder again")
    return tuple(names)


def require_labels(corpus: Any) -> None:
    """Raise `ValueError` unless there are two labels to choose from."""
    if len(corpus.labels) < 2:
        count, column = len(corpus.splits["train"]), corpus.names[-1]
        raise ValueError(
            f"{column} is {corpus.labels[0]!r} in all {count:,} training examples; at least 2 "
            "different ones are needed"
        )
