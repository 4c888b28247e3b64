"""The base of coders of text pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regard.data.encoding.examples import Examples
from regard.data.encoding.framed import Framed, ReadsText
from regard.sequences import Sequences
from regard.tasks.batch import sequences_of
from regard.tasks.row_coder import TokenCoder


class PairCoder(TokenCoder):
    """The base of coders whose rows have two texts, in the columns `left` and `right`."""

    @property
    def sides(self) -> dict[str, ReadsText]:
        """The encoders of the two texts.

        A tokenizer that adds special tokens around a pair, as BERT's does, does so here: the
        separator between the texts ends the left one.
        """
        frame, read = self.tokenizer.frame, self.tokenizer
        if not frame:
            return {"left": read, "right": read}
        return {
            "left": Framed(read, frame.before, frame.between),
            "right": Framed(read, (), frame.behind),
        }

    @property
    def reach(self) -> int:
        """The longest sequence that the network reads: both texts, if they are read as one."""
        joined = bool(self.tokenizer.frame) or self.positions is not None
        return 2 * self.longest if joined else self.longest

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Encode every split; raises `ValueError` for a pair with an empty side."""
        found = super().encode(splits, place)
        for split, examples in found.items():
            require_words(split, examples)
        return found

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Rows of a stream, those that are not too long; raises `ValueError` as `encode`."""
        examples = super().encode_rows(rows)
        require_words("stream", examples)
        return examples

    def pairs(self, examples: Examples, rows: np.ndarray) -> tuple[Sequences, Sequences]:
        """The texts of these examples, the left ones and the right ones."""
        left, right = (sequences_of(side, self.tokenizer.pad) for side in examples.take(rows))
        return left, right


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
