"""What is learned from texts with several labels: tokens and the names of the labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.config import LargeCount, Share
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.natural import natural
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.classify.coder import LabelCoder, load_labels
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, OneText, load_tables

UNKNOWN = -1
"""The number of a label that the training data does not have."""


@dataclass(frozen=True, eq=False)
class MultilabelledTexts(Batch):
    """Texts, and for each label 1 where a text has it and 0 where not."""

    source: Sequences
    labels: Float[Tensor, "batch classes"]

    @property
    def num_targets(self) -> int:
        """Number of texts."""
        return len(self.labels)


@dataclass(frozen=True)
class LabelLists:
    r"""Numbers labels of which a cell holds any number, with tabs between them.

    >>> LabelLists(("red", "round")).members(["round\tred", "", "red\tsoft"]).padded(9)
    array([[ 0,  1],
           [ 9,  9],
           [-1,  0]])
    """

    names: tuple[str, ...]

    def members(self, cells: Sequence[str]) -> Ragged:
        """The numbers of the labels in each cell, every one once."""
        places = {name: place for place, name in enumerate(self.names)}
        return Ragged.of(
            sorted({places.get(name, UNKNOWN) for name in labels_in(cell)}) for cell in cells
        )


@dataclass(frozen=True, eq=False)
class TextsAndLabelLists(OneText, LabelCoder):
    """The tokenizer of the texts and the names of the labels.

    Args:
        sentences: mark the end of every sentence, for networks that read documents.
        threshold: what a label's probability must be above for the label to be answered.
    """

    sentences: bool = False
    threshold: float = 0.5

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {"text": self.texts, "labels": LabelLists(self.labels)}

    def collate(self, examples: Examples, rows: np.ndarray) -> MultilabelledTexts:
        """These examples as a batch."""
        (sources,) = examples.take(rows)
        (members,) = (each.take(rows) for each in examples.lists)
        known = members.values != UNKNOWN
        owners = np.repeat(np.arange(len(rows)), members.lengths)
        labels = torch.zeros(len(rows), len(self.labels))
        labels[owners[known], members.values[known].astype(np.int64)] = 1.0
        return MultilabelledTexts(sequences_of(sources, self.tokenizer.pad), labels)

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {**super().entries(), "threshold": self.threshold}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "TextsAndLabelLists":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
        kinds = {"longest": LargeCount, "sentences": bool, "threshold": Share}
        known = said(folder, entries, kinds, list(kinds))
        return cls(tokenizer, labels, **known, **load_tables(folder))


def labels_in(cell: str) -> list[str]:
    r"""The labels in a cell, in their order, each once.

    >>> labels_in("round\tred\tround"), labels_in("")
    (['round', 'red'], [])
    """
    return list(dict.fromkeys(filter(None, map(str.strip, cell.split("\t")))))


def learned_labels(rows: Any) -> tuple[str, ...]:
    """The labels of a training part, sorted.

    Raises `ValueError` unless the examples differ in their labels.
    """
    seen: set[str] = set()
    kinds: set[frozenset[str]] = set()
    for start in range(0, len(rows), 1000):
        for cell in rows[start : start + 1000]["labels"]:
            found = frozenset(labels_in(cell))
            seen |= found
            if len(kinds) < 2:
                kinds.add(found)
    if len(kinds) < 2:
        raise ValueError(
            f"the labels are {joined(sorted(seen, key=natural))} in all {len(rows):,} training "
            "examples; at least 2 different answers are needed"
        )
    return tuple(sorted(seen, key=natural))


def joined(labels: Sequence[str]) -> str:
    """Several labels as one text.

    >>> joined(["red", "round"]), joined([])
    ('red, round', '(none)')
    """
    return ", ".join(labels) or "(none)"
