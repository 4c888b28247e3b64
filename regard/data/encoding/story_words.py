"""Stories, questions and answers as numbers of words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regard.data.encoding.documents import sentences_of
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary

_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s.!?…。！？]")


def words(sentence: str) -> list[str]:
    """The words of a sentence in lower case, other signs for themselves, its end left out.

    >>> words("Isn't Mary-Ann here (now)?")
    ["isn't", 'mary-ann', 'here', '(', 'now', ')']
    """
    return _WORD.findall(sentence.lower())


def answer_word(answer: str) -> str:
    """An answer as one word, however many it has: `Milk, football` and `milk,football` are one.

    >>> answer_word(" Milk,  football")
    'milk,football'
    """
    return re.sub(r"\s*,\s*", ",", " ".join(answer.lower().split()))


def learn_words(
    stories: Iterable[str], questions: Iterable[str], answers: Iterable[str]
) -> Vocabulary:
    """The vocabulary of all that is told, asked and answered."""
    known = {word for texts in (stories, questions) for text in texts for word in words(text)}
    return Vocabulary.build(known | {answer_word(answer) for answer in answers} - {""})


@dataclass(frozen=True)
class StoryCoder:
    """A story as one row of numbers, `</s>` behind every sentence; see `sentences_of` for those.

    >>> coder = StoryCoder(Vocabulary.build(["ada", "sits"]))
    >>> coder.encode(["Ada sits. Ada?", ""]).lengths
    array([5, 0])
    """

    vocabulary: Vocabulary

    def encode(self, texts: Sequence[str]) -> Ragged:
        return Ragged.of(self.numbers(sentences_of(text)) for text in texts)

    def numbers(self, story: Sequence[str]) -> list[int]:
        """The row of a story whose sentences are known."""
        known, end = self.vocabulary, self.vocabulary.end
        return [number for each in story for number in (*known.encode(words(each)), end)]


@dataclass(frozen=True)
class QuestionCoder:
    """The words of a question."""

    vocabulary: Vocabulary

    def encode(self, texts: Sequence[str]) -> Ragged:
        return Ragged.of(self.vocabulary.encode(words(text)) for text in texts)


@dataclass(frozen=True)
class AnswerCoder:
    """An answer as the number of one word, `<unk>` for one that was never given."""

    vocabulary: Vocabulary

    def encode(self, texts: Sequence[str]) -> Ragged:
        return Ragged.of(self.vocabulary.encode([answer_word(text)]) for text in texts)


@dataclass(frozen=True)
class SupportCoder:
    """The numbers of the sentences that support an answer.

    Raises `ValueError` for what is not a number.
    """

    def encode(self, texts: Sequence[str]) -> Ragged:
        return Ragged.of([_number(each) for each in text.split()] for text in texts)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"a support is the numbers of sentences, from 1, with spaces between; got {text!r}"
        )
    return int(text)
