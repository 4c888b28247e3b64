"""Words of sentences as the sub-words of a tokenizer, and which of these are the first ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from regard.data.encoding.framed import PROBE, Frame
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.signatures import cells_of
from regard.data.encoding.tag_numbers import UNKNOWN_TAG, TagNumbers
from regard.data.encoding.tokenizer import Tokenizer

Row = tuple[list[int], list[int]]
"""The numbers of a sentence, special ones included, and where the first of each word stands."""


@dataclass(frozen=True, eq=False)
class WordPieces:
    r"""What reads sentences whose words are known, each word by itself.

    A word that the tokenizer leaves nothing of is read as unknown.

    >>> tokenizer = Tokenizer.train(["ab abc abc"], "bert", size=11)
    >>> reader = WordPieces(tokenizer)
    >>> numbers, first = reader.row(["abc", "a"])
    >>> tokenizer.tokens(numbers), first
    (['[CLS]', 'a', '##b', '##c', 'a', '[SEP]'], [1, 4])
    """

    tokenizer: Tokenizer

    @property
    def frame(self) -> Frame:
        """What stands around a sentence."""
        return self.tokenizer.frame

    def row(self, words: Sequence[str]) -> Row:
        """The numbers of a sentence, and where its words begin."""
        return self.rows([words])[0]

    def rows(self, sentences: Sequence[Sequence[str]]) -> list[Row]:
        """The numbers of each sentence, and where its words begin."""
        known = self.pieces({word for words in sentences for word in words})
        return [self.framed([known[word] for word in words]) for words in sentences]

    def pieces(self, words: set[str]) -> Mapping[str, list[int]]:
        """The numbers of each of these words."""
        listed = sorted(words)
        found = self.tokenizer.encode([f" {word}" if self._spaced else word for word in listed])
        return {
            word: row.tolist() or [self.tokenizer.unknown_id]
            for word, row in zip(listed, found, strict=True)
        }

    @cached_property
    def _spaced(self) -> bool:
        """Whether a word of a text is told from a part of one by the space in front, as GPT-2's.

        All words get one then, the first of a sentence too.
        """
        begins = self.tokenizer.begins_word
        alone, spaced = (row[:1] for row in self.tokenizer.encode([PROBE, f" {PROBE}"]))
        return not begins[alone].any() and bool(begins[spaced].any())

    def framed(self, pieces: Sequence[Sequence[int]]) -> Row:
        """Words, each as its numbers, as one sentence; one without a word stays empty."""
        if not pieces:
            return [], []
        numbers, first = list(self.frame.before), []
        for word in pieces:
            first.append(len(numbers))
            numbers += word
        return [*numbers, *self.frame.behind], first

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The numbers of each sentence, whose words have tabs between them."""
        return Ragged.of(numbers for numbers, _ in self.rows([cells_of(text) for text in texts]))

    def cut(self, rows: Ragged, longest: int) -> Ragged:
        """Rows without what is behind the first tokens, but with what ends every row."""
        return rows.cut(longest, len(self.frame.behind))

    def firsts(self, words: Sequence[str], longest: int) -> list[int]:
        """Where the words begin in a sentence that is cut, those that are still there."""
        numbers, first = self.row(words)
        end = len(numbers) if len(numbers) <= longest else longest
        return [place for place in first if place < end - len(self.frame.behind)]


@dataclass(frozen=True, eq=False)
class FirstPieceTags:
    """What reads the tags of words as numbers at their first sub-words, and -1 elsewhere.

    A cell is a pair of texts, the words and their tags.
    """

    words: WordPieces
    tags: TagNumbers

    def encode(self, texts: Sequence[Any]) -> Ragged:
        """A number for each sub-word of each sentence."""
        rows = self.words.rows([cells_of(words) for words, _ in texts])
        tags = self.tags.encode([tags for _, tags in texts])
        found = []
        for (numbers, first), known in zip(rows, tags, strict=True):
            row = [UNKNOWN_TAG] * len(numbers)
            for place, tag in zip(first, known.tolist(), strict=True):
                row[place] = tag
            found.append(row)
        return Ragged.of(found)

    def cut(self, rows: Ragged, longest: int) -> Ragged:
        """As the words are cut."""
        return self.words.cut(rows, longest)
