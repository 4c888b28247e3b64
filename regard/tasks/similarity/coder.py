"""What similarity learns from its data: tokens of both sides, and the scale of the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import LargeCount
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch
from regard.tasks.exchange import said
from regard.tasks.pair_coder import PairCoder
from regard.tasks.regress.coder import SCALE, NumberCoder, load_scale, scaled_numbers
from regard.tasks.row_coder import TOKENIZER, load_tables


@dataclass(frozen=True, eq=False)
class NumberedPairs(Batch):
    """Pairs of sentences and their numbers, in deviations from the mean."""

    left: Sequences
    right: Sequences
    number: Float[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of pairs."""
        return len(self.number)


@dataclass(frozen=True, eq=False)
class PairsAndNumbers(PairCoder, NumberCoder):
    """The tokenizer of both sides and the scale of the numbers."""

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {**self.sides, "number": self.scale}

    def collate(self, examples: Examples, rows: np.ndarray) -> NumberedPairs:
        """These examples as a batch."""
        return NumberedPairs(*self.pairs(examples, rows), scaled_numbers(examples, rows))

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PairsAndNumbers":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        tokenizer, scale = Tokenizer.load(folder / TOKENIZER), load_scale(folder / SCALE)
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        return cls(tokenizer, scale, **known, **load_tables(folder))
