"""Words as numbers, rare ones by how they are spelled: the words of a sentence that is tagged."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import UNKNOWN_TOKEN, Vocabulary

BETWEEN = "\t"
"""What stands between the words of a sentence, so that no word has it."""
ENDING = 2
"""Letters at a word's end that its signature tells."""

_WORD = re.compile(r"\w+(?:['’.\-]\w+)*|[^\w\s]")


def words_of(sentence: str) -> list[str]:
    r"""The words of a sentence: between tabs where it has some, else cut at spaces and signs.

    >>> words_of("Ann-Marie didn't pay 3.50 (yet)."), words_of("New York\tis\tbig")
    (['Ann-Marie', "didn't", 'pay', '3.50', '(', 'yet', ')', '.'], ['New York', 'is', 'big'])
    """
    if BETWEEN in sentence:
        return sentence.split(BETWEEN)
    return _WORD.findall(sentence)


def cells_of(text: str) -> list[str]:
    r"""The values of a cell that holds a list, none for an empty one.

    >>> cells_of("B-PER\tO"), cells_of("")
    (['B-PER', 'O'], [])
    """
    return text.split(BETWEEN) if text else []


def signatures(word: str) -> tuple[str, str]:
    r"""How a word is spelled: its shape with its last letters, and its shape alone.

    The shape is the kinds of its characters in order, each once: a capital, a small letter or one
    without case, a digit, or the sign itself. A tab in front keeps it apart from any word.

    >>> signatures("Lisbon"), signatures("1996-08-22"), signatures("NATO's")
    (('\tXx on', '\tXx'), ('\td-d-d', '\td-d-d'), ("\tX'x", "\tX'x"))

    References:
        Petrov, Barrett, Thibaux & Klein. Learning Accurate, Compact, and Interpretable Tree
        Annotation. 2006. https://aclanthology.org/P06-1055 (its parser reads rare words so)
    """
    shape = BETWEEN + "".join(kind for kind, _ in groupby(map(_kind, word)))[:8]
    ending = word[-ENDING:]
    if len(word) > ENDING + 1 and ending.isalpha():
        return f"{shape} {ending.lower()}", shape
    return shape, shape


@dataclass(frozen=True)
class SignedWords:
    r"""Words to numbers; one that is not known is read by its signature, if that is known.

    >>> words = SignedWords.learned(["Ann", "met", "Bob", "Ann", "met", "Eve", "Leo"], least=2)
    >>> words.vocabulary.tokens[4:]
    ('\tXx', 'Ann', 'met')
    >>> words.numbers(["Ann", "met", "Zoe", "?"])
    [5, 6, 4, 1]
    """

    vocabulary: Vocabulary

    @classmethod
    def learned(cls, words: Iterable[str], least: int) -> "SignedWords":
        """All words that come `least` times, and the signatures of the others that do together."""
        counts = Counter(words)
        frequent = {word for word, count in counts.items() if count >= least and word}
        signed: Counter[str] = Counter()
        for word in counts.keys() - frequent:
            for signature in set(signatures(word)):
                signed[signature] += counts[word]
        kept = {signature for signature, count in signed.items() if count >= least}
        return cls(Vocabulary.build(frequent | kept))

    def numbers(self, words: Iterable[str]) -> list[int]:
        """The number of each word, of its signature, of its shape, or of `<unk>`."""
        return [self.vocabulary.encode([self._read(word)])[0] for word in words]

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The numbers of sentences, tabs between their words."""
        return Ragged.of(self.numbers(cells_of(text)) for text in texts)

    def unknown(self, words: Iterable[str]) -> list[str]:
        """The distinct words that are not known, sorted."""
        return self.vocabulary.unknown(words)

    def _read(self, word: str) -> str:
        """What stands for a word in the vocabulary."""
        readings = (word, *signatures(word)) if word else ()
        return next((each for each in readings if each in self.vocabulary), UNKNOWN_TOKEN)


def _kind(character: str) -> str:
    if character.isdecimal():
        return "d"
    if character.isalpha():
        return "X" if character.isupper() else "x"
    return character
