"""What matching learns from its data: tokens of both sides, and labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from regard.config import LargeCount
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch
from regard.tasks.classify.coder import LabelCoder, labels_of, load_labels
from regard.tasks.exchange import said
from regard.tasks.pair_coder import PairCoder
from regard.tasks.row_coder import TOKENIZER, load_tables


@dataclass(frozen=True, eq=False)
class LabelledPairs(Batch):
    """Pairs of sentences and their labels, -1 for one that is not known."""

    left: Sequences
    right: Sequences
    label: Int[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of pairs that have a label."""
        return int((self.label >= 0).sum())


@dataclass(frozen=True, eq=False)
class PairsAndLabels(PairCoder, LabelCoder):
    """The tokenizer of both sides and the names of the labels."""

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {**self.sides, "label": self.labels}

    def collate(self, examples: Examples, rows: np.ndarray) -> LabelledPairs:
        """These examples as a batch."""
        return LabelledPairs(*self.pairs(examples, rows), labels_of(examples, rows))

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PairsAndLabels":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
        return cls(tokenizer, labels, **known, **load_tables(folder))
