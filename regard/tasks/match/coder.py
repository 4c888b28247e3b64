"""What matching learns from its data: tokens of both sides, and labels."""

from collections.abc import Mapping, Sequence
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
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.classify.coder import LabelCoder, labels_of, load_labels
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER


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


class PairsAndLabels(LabelCoder):
    """The tokenizer of both sides and the names of the labels."""

    @property
    def readers(self) -> dict[str, Reader]:
        """What makes numbers of each column."""
        return {"left": self.tokenizer, "right": self.tokenizer, "label": self.labels}

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers; raises `ValueError` for a pair without a word on one side."""
        found = super().encode(splits, place)
        for split, examples in found.items():
            require_words(split, examples)
        return found

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> Examples:
        """Rows of a stream, those that are not too long; raises `ValueError` as `encode`."""
        examples = super().encode_rows(rows)
        require_words("stream", examples)
        return examples

    def collate(self, examples: Examples, rows: np.ndarray) -> LabelledPairs:
        """These examples as a batch."""
        pad = self.tokenizer.pad
        left, right = (sequences_of(side, pad) for side in examples.take(rows))
        return LabelledPairs(left, right, labels_of(examples, rows))

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PairsAndLabels":
        """What `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        return cls(Tokenizer.load(folder / TOKENIZER), load_labels(folder), **known)


def require_words(split: str, examples: Examples) -> None:
    """Raise `ValueError` with the row unless both sides of every pair have a word."""
    empty = np.flatnonzero((examples.lengths == 0).any(1))
    if len(empty):
        row = int(empty[0])
        side = "right" if examples.lengths[row, 0] else "left"
        raise ValueError(
            f"the {side} sentence of row {int(examples.rows[row]) + 1} in {split} is empty "
            f"({len(empty)} such rows); remove the row or fill it in"
        )
