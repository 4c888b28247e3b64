"""Words of passages with their places in the text, and unknown ones kept apart by a hash."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary

Span = tuple[int, int]
"""The first character, and the one behind the last."""

# Han, kana and Hangul: one character each, for nothing there parts words from each other.
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+|[^\s]")


def word_spans(text: str) -> list[Span]:
    """Where the words of a text stand: runs of letters and digits, and every other sign.

    >>> text = "In 1850-51, 東京."
    >>> [text[start:stop] for start, stop in word_spans(text)]
    ['In', '1850', '-', '51', ',', '東', '京', '.']
    """
    return [found.span() for found in _WORD.finditer(text)]


def lower_words(text: str) -> list[str]:
    """The words of a text without case.

    >>> lower_words("Is it so?")
    ['is', 'it', 'so', '?']
    """
    return [text[start:stop].lower() for start, stop in word_spans(text)]


@dataclass(frozen=True)
class HashedWords:
    """Words to numbers; one that is not known gets one of `buckets` numbers, by its hash.

    So an unknown word of a question is found again in the passage, which one `<unk>` for all would
    hide.

    >>> words = HashedWords(Vocabulary.build(["is"]), buckets=100)
    >>> one, other = words.encode(["Is Zorro so?", "zorro"])
    >>> int(one[0]), bool(one[1] == other[0]), bool(one[1] == one[2]), len(words)
    (4, True, False, 105)

    References:
        Dhingra, Liu, Salakhutdinov & Cohen. A Comparative Study of Word Embeddings for Reading
        Comprehension. 2017. https://arxiv.org/abs/1703.00993 (unknown words need vectors of their
        own)
    """

    vocabulary: Vocabulary
    buckets: int

    @classmethod
    def learned(cls, texts: Iterable[str], least: int, buckets: int) -> "HashedWords":
        """All words that come `least` times; rarer ones are read as unknown ones are."""
        counts = Counter(word for text in texts for word in lower_words(text))
        frequent = (word for word, count in counts.items() if count >= least)
        return cls(Vocabulary.build(frequent), buckets)

    def __len__(self) -> int:
        return len(self.vocabulary) + self.buckets

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The numbers of the words of each text."""
        return Ragged.of([self._number(word) for word in lower_words(text)] for text in texts)

    def unknown(self, text: str) -> list[str]:
        """The distinct words of a text that are not known, sorted."""
        return self.vocabulary.unknown(lower_words(text))

    def _number(self, word: str) -> int:
        if word in self.vocabulary:
            return self.vocabulary.encode([word])[0]
        return len(self.vocabulary) + zlib.crc32(word.encode()) % self.buckets
