"""What tagging learns from its data: the words, how rare ones are spelled, and the tags."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_file, read_json, write_whole
from regard.config import LargeCount
from regard.data.encoding.derived import Derived
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.signatures import SignedWords
from regard.data.encoding.tag_numbers import UNKNOWN_TAG, TagNumbers, require_a_tag_a_word
from regard.data.encoding.vocabulary import Vocabulary
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.classify.coder import LABELS, load_labels, save_labels
from regard.tasks.exchange import said
from regard.tasks.row_coder import RowCoder

WORDS_FILE = "words.json"


@dataclass(frozen=True, eq=False)
class TaggedSentences(Batch):
    """Sentences and the tags of their words, -1 for one that is not known and behind the end."""

    source: Sequences
    tags: Int[Tensor, "batch len"]

    @property
    def num_targets(self) -> int:
        """Number of words that have a tag."""
        return int((self.tags >= 0).sum())


@dataclass(frozen=True, eq=False)
class WordsAndTags(RowCoder):
    """The words of sentences and the names of their tags.

    Args:
        longest: greatest number of words that are read of a sentence at once.
    """

    words: SignedWords
    labels: tuple[str, ...]
    longest: int

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        known = self.words.vocabulary
        return {
            "vocab": len(known),
            "classes": len(self.labels),
            "unknown": known.unknown_id,
            "end": known.end,
            "max_length": self.longest,
        }

    @property
    def readers(self) -> dict[str, Reader]:
        """What makes numbers of each column."""
        return {"words": self.words, "tags": TagNumbers(self.labels)}

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers; raises `ValueError` for a row without a tag for each word."""
        return super().encode({split: _checked(split, r) for split, r in splits.items()}, place)

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Rows of a stream, those that are not too long; raises `ValueError` as `encode`."""
        columns = {name: [row[name] for row in rows] for name in self.readers}
        require_a_tag_a_word("the stream", columns, 0)
        return super().encode_rows(rows)

    def collate(self, examples: Examples, rows: np.ndarray) -> TaggedSentences:
        """These examples as a batch."""
        words, tags = examples.take(rows)
        padded = torch.from_numpy(tags.padded(UNKNOWN_TAG).astype(np.int64))
        return TaggedSentences(sequences_of(words, self.words.vocabulary.pad), padded)

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        text = json.dumps(self.words.vocabulary.tokens, ensure_ascii=False, indent=0)
        write_whole(folder / WORDS_FILE, text.encode())
        save_labels(self.labels, folder)
        return [WORDS_FILE, LABELS]

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "WordsAndTags":
        """What `save` wrote; raises `ValueError` when a file is damaged."""
        words = SignedWords(load_vocabulary(folder / WORDS_FILE))
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        return cls(words, load_labels(folder), **known)


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary whose tokens a file lists; raises `ValueError` when it is damaged."""
    try:
        return Vocabulary.of(read_json(read_file(path)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def _checked(split: str, rows: Any) -> Derived:
    """The same rows, refused where a word has no tag."""

    def checked(batch: Mapping[str, list[Any]], first: int) -> Mapping[str, list[Any]]:
        require_a_tag_a_word(split, batch, first)
        return batch

    return Derived(rows, checked)
