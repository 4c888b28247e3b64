"""How text is tokenized: the options of a tokenizer to train."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from regard.config import Config, LargeCount
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.arrow import in_batches


@dataclass(frozen=True, kw_only=True)
class TokenSettings(Config):
    """What all tokenizers have in common.

    Args:
        lowercase: lowercase all text.
    """

    lowercase: bool = False

    def notes(self, rows: int) -> list[str]:
        """What is to be said of learning tokens from so many rows; usually nothing."""
        return []

    def texts(self, rows: Any, *columns: str) -> Iterator[str]:
        """The texts of these columns that the tokens are learned from: those of all rows."""
        return texts_of(rows, *columns)

    def learned(self, texts: Iterable[str], running: bool = False) -> Tokenizer:
        """The tokenizer that these texts give; see `Tokenizer.train`."""
        return Tokenizer.train(texts, self.tag, lowercase=self.lowercase, running=running)


@dataclass(frozen=True, kw_only=True)
class Characters(TokenSettings):
    """Every character of the texts is a token.

    >>> len(Characters().learned(["abba"]))
    6
    """

    tag = "characters"


@dataclass(frozen=True, kw_only=True)
class SizedTokens(TokenSettings):
    """What all tokenizers have in common that choose among many possible tokens.

    Args:
        size: maximum vocabulary size.
        rows: maximum training rows that the vocabulary is learned from, evenly spaced; what is
            counted takes memory for every distinct word.
    """

    size: LargeCount = 8000
    rows: LargeCount = 1_000_000

    def notes(self, rows: int) -> list[str]:
        """That the tokens are learned from some of so many rows, where that is so."""
        if rows <= self.rows:
            return []
        some = f"{self.rows:,} of {rows:,} training rows, evenly spaced"
        return [f"tokens are learned from {some} (tokens.rows)"]

    def texts(self, rows: Any, *columns: str) -> Iterator[str]:
        """The texts of these columns that the tokens are learned from: those of `rows` rows."""
        return texts_of(rows, *columns, most=self.rows)

    def learned(self, texts: Iterable[str], running: bool = False) -> Tokenizer:
        """The tokenizer that these texts give; see `Tokenizer.train`."""
        return Tokenizer.train(texts, self.tag, self.size, self.lowercase, running)


@dataclass(frozen=True, kw_only=True)
class Words(SizedTokens):
    """Whole words and punctuation marks; all but the most frequent are `<unk>`."""

    tag = "words"


@dataclass(frozen=True, kw_only=True)
class BPE(SizedTokens):
    """Byte-pair encoding, on bytes."""

    tag = "bpe"


@dataclass(frozen=True, kw_only=True)
class WordPiece(SizedTokens):
    """WordPiece, on bytes."""

    tag = "wordpiece"


@dataclass(frozen=True, kw_only=True)
class Unigram(SizedTokens):
    """The unigram language model of SentencePiece, on bytes."""

    tag = "unigram"


@dataclass(frozen=True, kw_only=True)
class Bert(SizedTokens):
    """WordPiece as in BERT, on characters, with `[CLS]` before a text and `[SEP]` after it."""

    tag = "bert"

    lowercase: bool = True


@dataclass(frozen=True, kw_only=True)
class Given(Config):
    """The tokens of the network that a run starts from (`start`)."""

    tag = "given"

    def texts(self, rows: Any, *columns: str) -> Iterator[str]:
        """No text: nothing is learned from them."""
        return iter(())

    def learned(self, texts: Iterable[str], running: bool = False) -> Tokenizer:
        """None are learned: raises `ValueError`."""
        raise ValueError("tokens=given are those of a network that a run begins with; give start")


Tokens = BPE | WordPiece | Unigram | Words | Characters | Bert | Given
"""How text is tokenized: a setting of every task that reads text."""


def require_words(tokens: Any, **given: Any) -> None:
    """Raise `ValueError` for a setting of whole words combined with sub-word tokens.

    >>> require_words(Bert(), least=None)
    """
    for name, value in given.items():
        if tokens is not None and value is not None:
            raise ValueError(f"{name} is for whole words, and tokens={tokens.tag}; leave it out")


def texts_of(rows: Any, *columns: str, most: int | None = None) -> Iterator[str]:
    """The texts of these columns of a corpus, about a thousand rows of each in turn.

    Args:
        most: of so many rows at most, evenly spaced; of all if None.

    >>> from regard.data.reading.arrow import FirstRows
    >>> list(texts_of(FirstRows({"text": list("abcdefg")}), "text", most=3))
    ['c', 'e', 'g']
    """
    count, start = len(rows), 0
    for batch in in_batches(rows):
        size = len(batch[columns[0]])
        chosen = np.ones(size, dtype=bool)
        if most is not None and most < count:
            chosen = np.diff(np.arange(start, start + size + 1) * most // count) > 0
        start += size
        for column in columns:
            yield from compress(batch[column], chosen.tolist())
