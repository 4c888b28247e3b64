"""What tagging learns from its data: the words, how rare ones are spelled, and the tags."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.encoding.word_pieces import FirstPieceTags, WordPieces
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.classify.coder import LABELS, load_labels, save_labels
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, RowCoder, TokenCoder, load_tables

WORDS_FILE = "words.json"

Portion = tuple[list[int], list[int], list[str]]
"""What is read at once: its numbers, where its words begin, and what is shown of it."""


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
        """The network sizes determined by the data."""
        known = self.words.vocabulary
        return {
            "vocab": len(known),
            "classes": len(self.labels),
            "labels": self.labels,
            "unknown": known.unknown_id,
            "end": known.end,
            "max_length": self.longest,
        }

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {"words": self.words, "tags": TagNumbers(self.labels)}

    def firsts(self, words: Sequence[str]) -> list[int]:
        """Where each word stands in what is read of a sentence, as far as it is read."""
        return list(range(min(len(words), self.longest)))

    def portions(self, words: Sequence[str]) -> Iterator[Portion]:
        """A sentence in parts that are short enough to be read."""
        numbers = self.words.numbers(words)
        for start in range(0, len(numbers), self.longest):
            some = numbers[start : start + self.longest]
            yield some, list(range(len(some))), list(words[start : start + self.longest])

    def unknown(self, words: Sequence[str]) -> list[str]:
        """The words that are not known by themselves."""
        return self.words.unknown(words)

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
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        words = SignedWords(load_vocabulary(folder / WORDS_FILE))
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        return cls(words, load_labels(folder), **known)


@dataclass(frozen=True, eq=False)
class PiecesAndTags(TokenCoder):
    """A tokenizer that cuts words into sub-words, and the names of the words' tags.

    The first sub-word of each word has its tag.

    Args:
        longest: greatest number of tokens that are read of a sentence at once.
    """

    tokenizer: Tokenizer
    labels: tuple[str, ...]
    longest: int

    @property
    def words(self) -> WordPieces:
        """What reads words."""
        return WordPieces(self.tokenizer)

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {**super().sizes, "classes": len(self.labels), "labels": self.labels}

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        tags = FirstPieceTags(self.words, TagNumbers(self.labels))
        return {"words": self.words, "tags": tags}

    def firsts(self, words: Sequence[str]) -> list[int]:
        """Where each word begins in what is read of a sentence, as far as it is read."""
        return self.words.firsts(words, self.longest)

    def portions(self, words: Sequence[str]) -> Iterator[Portion]:
        """A sentence in parts that are short enough to be read."""
        room = self.longest - self.words.frame.size
        known, some, used = self.words.pieces(set(words)), list[list[int]](), 0
        for pieces in (known[word][:room] for word in words):
            if some and used + len(pieces) > room:
                yield self._portion(some)
                some, used = [], 0
            some.append(pieces)
            used += len(pieces)
        if some:
            yield self._portion(some)

    def _portion(self, pieces: Sequence[list[int]]) -> Portion:
        numbers, first = self.words.framed(pieces)
        return numbers, first, self.tokenizer.tokens(numbers)

    def unknown(self, words: Sequence[str]) -> list[str]:
        """The parts of words that are not known."""
        return self.tokenizer.unknown(" ".join(words))

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers; raises `ValueError` for a row without a tag for each word."""
        told = {split: Derived(_checked(split, r), _beside_words) for split, r in splits.items()}
        return super().encode(told, place)

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Rows of a stream, those that are not too long; raises `ValueError` as `encode`."""
        columns = {name: [row[name] for row in rows] for name in self.readers}
        require_a_tag_a_word("the stream", columns, 0)
        told = _beside_words(columns, 0)["tags"]
        return super().encode_rows(
            [{**row, "tags": tags} for row, tags in zip(rows, told, strict=True)]
        )

    def collate(self, examples: Examples, rows: np.ndarray) -> TaggedSentences:
        """These examples as a batch."""
        words, tags = examples.take(rows)
        padded = torch.from_numpy(tags.padded(UNKNOWN_TAG).astype(np.int64))
        return TaggedSentences(sequences_of(words, self.tokenizer.pad), padded)

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        save_labels(self.labels, folder)
        return [*super().save(folder), LABELS]

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PiecesAndTags":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, {"longest": LargeCount}, ["longest"])
        tokenizer, labels = Tokenizer.load(folder / TOKENIZER), load_labels(folder)
        return cls(tokenizer, labels, **known, **load_tables(folder))


def load_coder(folder: Path, entries: Mapping[str, Any]) -> WordsAndTags | PiecesAndTags:
    """The coder in a folder: with a tokenizer it is one of sub-words."""
    kind = PiecesAndTags if (folder / TOKENIZER).exists() else WordsAndTags
    return kind.load(folder, entries)


def _beside_words(batch: Mapping[str, list[Any]], first: int) -> Mapping[str, list[Any]]:
    """Rows whose tags come with their words."""
    return {**batch, "tags": list(zip(batch["words"], batch["tags"], strict=True))}


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
