"""What turns rows with columns of text into numbers, for every task that judges texts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regard.data.encoding.documents import DocumentCoder
from regard.data.encoding.examples import (
    Examples,
    Reader,
    encode_examples,
    encoded,
    load_examples,
)
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.batch import Batch

TOKENIZER = "tokenizer.json"


class RowCoder(ABC):
    """The base of coders that are dataclasses of what is known of the columns of rows.

    Of a text the first `longest` tokens are read; those behind are cut.
    """

    longest: int

    @property
    @abstractmethod
    def readers(self) -> dict[str, Reader]:
        """What makes numbers of each column."""

    @abstractmethod
    def collate(self, examples: Examples, rows: np.ndarray) -> Batch:
        """These examples as a batch."""

    @abstractmethod
    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers, in folders under `place`.

        Where there is no part to learn from, labels may be unknown ones.
        """
        judged = "train" not in splits
        return {
            split: encode_examples(rows, self.readers, place / split, self.longest, "cut", judged)
            for split, rows in splits.items()
        }

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """What `encode` wrote."""
        return {split: load_examples(place / split) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Rows of a stream, those that are not too long."""
        return encoded(rows, self.readers, self.longest)

    def entries(self) -> dict[str, Any]:
        """What `task.json` says."""
        return {"longest": self.longest}


class TokenCoder(RowCoder):
    """The base of coders whose texts are cut by one tokenizer."""

    tokenizer: Tokenizer

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        tokenizer = self.tokenizer
        return {
            "vocab": len(tokenizer),
            "unknown": tokenizer.unknown_id,
            "end": tokenizer.end,
            "max_length": self.longest,
        }

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER]


class OneText(TokenCoder):
    """The base of coders whose rows hold one text, in the column `text`.

    With `sentences` the end of every sentence is marked, for networks that read documents.
    """

    sentences: bool

    @property
    def texts(self) -> Tokenizer | DocumentCoder:
        """What reads the texts."""
        return DocumentCoder(self.tokenizer) if self.sentences else self.tokenizer

    def entries(self) -> dict[str, Any]:
        """What `task.json` says."""
        return {**super().entries(), "sentences": self.sentences}
