"""Opinions made by a grammar: short reviews and long ones, praise or blame, and what decides it.

A single word decides little: negations turn it around (`not dull`, `hardly any charm`), and of two
clauses the one behind `but`, or the one that `although` does not introduce, counts. In documents
most sentences say nothing, and what others are said to think does not count.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from regard.data.schema import SPLITS
from regard.data.synthetic.opinion_words import (
    ACQUAINTANCES,
    ADJECTIVES,
    ASPECTS,
    BARE_VERBS,
    CLOSINGS,
    DAYS,
    DEGREES,
    FACTS,
    HEARSAY,
    NEGATIONS,
    NUMBER_WORDS,
    OPENINGS,
    OPINION_VERBS,
    QUALITIES,
)

OPINION_LABELS = {1: "positive", -1: "negative"}


@dataclass(frozen=True)
class Opinion:
    """A sentence and the places of the words that decide, none where it decides nothing."""

    words: tuple[str, ...]
    decides: tuple[int, ...]

    def __add__(self, other: "Opinion") -> "Opinion":
        moved = tuple(place + len(self.words) for place in other.decides)
        return Opinion(self.words + other.words, self.decides + moved)


@dataclass(frozen=True)
class Review:
    """Sentences, of which one or two decide, and what they amount to."""

    sentences: tuple[Opinion, ...]
    label: str

    @property
    def text(self) -> str:
        """A sentence a line."""
        return "\n".join(" ".join(sentence.words) for sentence in self.sentences)


def opinion_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Sentences and their labels, `positive` or `negative`.

    >>> for text, label in opinion_rows("train", 3, seed=0):
    ...     print(label, "-", text)
    negative - in the end , the bag was anything but rather superb .
    positive - as far as i can tell , the solo was anything but truly boring .
    negative - although the case had a lot of wit , the speaker had a lot of nonsense .
    """
    return ((review.text, review.label) for review in short_reviews(split, count, seed))


def document_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Documents, a sentence a line, and their labels.

    >>> text, label = next(document_rows("train", 1, seed=0))
    >>> print(text)
    i read about the sign on sunday .
    there were three of us and my teacher .
    my cousin asked about the parcel and the delivery .
    according to my teacher the shop would be impressive .
    the delivery had a lot of mould .
    to be honest , the shop had a lot of waste this spring .
    the sign was next to the catalogue .
    >>> label
    'negative'
    """
    return ((review.text, review.label) for review in reviews(split, count, seed))


def short_reviews(split: str, count: int, seed: int) -> Iterator[Review]:
    """The reviews behind `opinion_rows`, each of one sentence."""
    return _of_split(split, count, seed, _sentence)


def reviews(split: str, count: int, seed: int) -> Iterator[Review]:
    """The reviews behind `document_rows`: 4 to 10 sentences."""
    return _of_split(split, count, seed, _review)


def opinion_split(text: str) -> str:
    """`train` for eight texts of ten, else `valid` or `test`: a hash of the text decides.

    >>> opinion_split("the soup was not bad .")
    'train'
    """
    part = hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % 10
    return SPLITS[max(0, part - 7)]


def _of_split(
    split: str, count: int, seed: int, made: Callable[[Random], Review]
) -> Iterator[Review]:
    """So many different reviews; raises `ValueError` for another split."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    seen: set[str] = set()
    rng = Random(f"{split} {seed}")
    while len(seen) < count:
        review = made(rng)
        if opinion_split(review.text) == split and review.text not in seen:
            seen.add(review.text)
            yield review


def _sentence(rng: Random) -> Review:
    sign = rng.choice((1, -1))
    return Review((_opinion(rng, rng.choice(list(ASPECTS)), sign),), OPINION_LABELS[sign])


def _review(rng: Random) -> Review:
    sign, kind = rng.choice((1, -1)), rng.choice(list(ASPECTS))
    deciding = [_opinion(rng, kind, sign) for _ in range(rng.choice((1, 1, 2)))]
    heard = [_filled(rng, rng.choice(HEARSAY), kind) for _ in range(rng.choice((0, 1, 1)))]
    facts = [_filled(rng, rng.choice(FACTS), kind) for _ in range(rng.randint(3, 7))]
    mixed = deciding + heard + facts
    rng.shuffle(mixed)
    return Review(tuple(mixed), OPINION_LABELS[sign])


def _opinion(rng: Random, kind: str, sign: int) -> Opinion:
    """One clause, or two that contradict each other, of which the second or the first counts."""
    said = _clause(rng, kind, sign)
    if rng.random() < 0.4:
        against = Opinion(_clause(rng, kind, -sign).words, ())
        said = rng.choice(
            (
                against + _plain(", but") + said,
                _plain("although") + against + _plain(",") + said,
                said + _plain(", even though") + against,
            )
        )
    if rng.random() < 0.3:
        said = _plain(rng.choice(OPENINGS)) + said
    if rng.random() < 0.3:
        said = said + _plain(rng.choice(CLOSINGS))
    return said + _plain(".")


def _clause(rng: Random, kind: str, sign: int) -> Opinion:
    """A judgement; what turns it around decides with it."""
    start = _plain(f"the {rng.choice(ASPECTS[kind])}")
    turned = rng.random() < 0.33
    own = -sign if turned else sign
    form = rng.random()
    if form < 0.6:
        turn = _deciding(rng.choice(NEGATIONS)) if turned else _plain("")
        degree = _plain(rng.choice(DEGREES) if rng.random() < 0.4 else "")
        return start + _plain("was") + turn + degree + _deciding(rng.choice(ADJECTIVES[own]))
    if form < 0.8:
        verb = rng.choice((BARE_VERBS if turned else OPINION_VERBS)[own])
        said = _plain("i") + (_plain("did") + _deciding("not") if turned else _plain(""))
        return said + _deciding(verb) + start
    turn = _deciding(rng.choice(("no", "hardly any"))) if turned else _plain("a lot of")
    return start + _plain("had") + turn + _deciding(rng.choice(QUALITIES[own]))


def _filled(rng: Random, form: str, kind: str) -> Opinion:
    """A sentence that decides nothing."""
    aspect, other = rng.sample(ASPECTS[kind], 2)
    adjective = rng.choice(ADJECTIVES[rng.choice((1, -1))])
    words = {"aspect": aspect, "other": other, "adjective": adjective}
    words |= {"person": rng.choice(ACQUAINTANCES), "day": rng.choice(DAYS)}
    return _plain(form.format(**words, number=rng.choice(NUMBER_WORDS)) + " .")


def _plain(text: str) -> Opinion:
    return Opinion(tuple(text.split()), ())


def _deciding(text: str) -> Opinion:
    words = tuple(text.split())
    return Opinion(words, tuple(range(len(words))))
