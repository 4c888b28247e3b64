"""The base of coders of rows with text columns."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regard._io.files import read_json_file, write_whole
from regard._printable import shown
from regard.config import LargeCount, Natural, checked
from regard.data.encoding.documents import DocumentCoder
from regard.data.encoding.examples import (
    Examples,
    Reader,
    encode_examples,
    encoded,
    load_examples,
)
from regard.data.encoding.framed import Framed, ReadsText
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.batch import Batch

TOKENIZER, TABLES_FILE = "tokenizer.json", "positions.json"
TABLES = {"positions": LargeCount, "embedded": LargeCount, "before": Natural}


class RowCoder(ABC):
    """The base of coders that are dataclasses of the encoders of columns.

    Texts are truncated to `longest` tokens.
    """

    longest: int

    @property
    @abstractmethod
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""

    @abstractmethod
    def collate(self, examples: Examples, rows: np.ndarray) -> Batch:
        """These examples as a batch."""

    @abstractmethod
    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Encode every split, in folders under `place`.

        Without a training split, labels may be unknown.
        """
        judged = "train" not in splits
        return {
            split: encode_examples(rows, self.readers, place / split, self.longest, "cut", judged)
            for split, rows in splits.items()
        }

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Open what `encode` wrote."""
        return {split: load_examples(place / split) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Encode rows of a stream, except those that are too long."""
        return encoded(rows, self.readers, self.longest)

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"longest": self.longest}


@dataclass(frozen=True, eq=False)
class Tables:
    """What the coder of a pretrained network knows about its embeddings.

    Args:
        positions: the network's number of positions; the maximum input length if None.
        embedded: rows of its embedding, some of which may be beyond the tokens; the number of
            tokens if None.
    """

    positions: int | None = field(default=None, kw_only=True)
    embedded: int | None = field(default=None, kw_only=True)

    def save_tables(self, folder: Path) -> list[str]:
        """Write the known sizes, and return the file's name."""
        known = {name: getattr(self, name, None) for name in TABLES}
        known = {name: size for name, size in known.items() if size is not None}
        if not known:
            return []
        write_whole(folder / TABLES_FILE, json.dumps(known).encode())
        return [TABLES_FILE]


def load_tables(folder: Path) -> dict[str, Any]:
    """Load what `save_tables` wrote; raises `ValueError` when the file is damaged."""
    path = folder / TABLES_FILE
    if not path.exists():
        return {}
    entries = read_json_file(path)
    # Until there were embeddings with more rows than tokens, the file was one number.
    known = {"positions": entries} if isinstance(entries, int) else entries
    try:
        if not isinstance(known, dict) or known.keys() - TABLES.keys():
            raise ValueError(f"it says {shown(known)}, and should say {' or '.join(TABLES)}")
        return {name: checked(name, size, TABLES[name]) for name, size in known.items()}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; copy the whole run folder again") from None


class TokenCoder(RowCoder, Tables):
    """The base of coders with a single tokenizer."""

    tokenizer: Tokenizer

    @property
    def reach(self) -> int:
        """The longest sequence that the network reads."""
        return self.longest

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        tokenizer = self.tokenizer
        return {
            "vocab": self.embedded or len(tokenizer),
            "unknown": tokenizer.specials.unknown,
            "end": tokenizer.specials.end,
            "alone": tokenizer.frame.alone,
            "max_length": self.positions or self.reach,
        }

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER, *self.save_tables(folder)]


class OneText(TokenCoder):
    """The base of coders whose rows have one text, in the column `text`.

    With `sentences` the end of every sentence is marked, for networks that read documents. A
    tokenizer that adds special tokens around texts, as BERT's does, does so here.
    """

    sentences: bool

    @property
    def texts(self) -> ReadsText:
        """The encoder of the texts."""
        reader = DocumentCoder(self.tokenizer) if self.sentences else self.tokenizer
        frame = self.tokenizer.frame
        return Framed(reader, frame.before, frame.behind) if frame else reader

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {**super().entries(), "sentences": self.sentences}
