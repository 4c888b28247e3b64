"""Short passages of facts about people, and questions that a few words of them answer, or nothing.

Each passage tells several facts of several people, so that neither the kind of answer nor the
person alone tells which words are asked for. One question in six is about what the passage does not
tell. Some names come in validation and test data alone: they are found by being the same words in
passage and question.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from regard.data.schema import SPLITS

UNANSWERED = 1 / 6
"""The share of questions that the passage does not answer."""

PEOPLE = (
    *("Anna", "Boris", "Clara", "David", "Elena", "Frank", "Grace", "Henry", "Ingrid", "Jonas"),
    *("Karin", "Louis", "Maria", "Nils", "Olga", "Pavel", "Rosa", "Simon", "Tara", "Viktor"),
)
STRANGERS = ("Ulrich", "Petra", "Quentin", "Wanda", "Xenia", "Yusuf")
"""People whom no training passage knows."""


@dataclass(frozen=True)
class Kind:
    """A kind of fact: how it is told and asked for, and what may be the answer."""

    told: tuple[str, ...]
    asked: tuple[str, ...]
    answers: tuple[str, ...]


KINDS = (
    Kind(
        ("{who} lives in {what}.", "For years {who} has been living in {what}."),
        ("Where does {who} live?", "In which town does {who} live?"),
        ("Rome", "New Bergen", "Oslo", "Port Lisbon", "Vienna", "Upper Turin"),
    ),
    Kind(
        ("{who} works as a {what}.", "By trade, {who} is a {what}."),
        ("What does {who} work as?", "What is the trade of {who}?"),
        ("baker", "history teacher", "carpenter", "night nurse", "tax lawyer", "painter"),
    ),
    Kind(
        ("{who} was born in {what}.", "It was {what} when {who} was born."),
        ("When was {who} born?", "In which month was {who} born?"),
        ("May 1981", "March 1975", "October 1990", "June 2001", "April 1968"),
    ),
    Kind(
        ("{who} owns {what}.", "There is {what} that belongs to {who}."),
        ("What does {who} own?", "What belongs to {who}?"),
        ("a red bicycle", "two cats", "an old violin", "a small boat", "three horses"),
    ),
)


def fact_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, ...]]:
    r"""`count` rows (context, question, answer, start, answers) of a split, the same for each seed.

    `start` is the character at which the answer begins; it and the answer are empty where the
    context does not tell.

    Raises `ValueError` for an unknown split.

    >>> context, question, answer, start, _ = next(fact_rows("train", 1, seed=1))
    >>> question, answer, context[int(start) - 15 :]
    ('In which town does Jonas live?', 'Oslo', 'Jonas lives in Oslo.')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng = Random(f"facts {split} {seed}")
    for _ in range(count):
        yield _row(rng, PEOPLE if split == "train" else (*PEOPLE, *STRANGERS))


def _row(rng: Random, people: tuple[str, ...]) -> tuple[str, ...]:
    who = rng.sample(people, 3)
    possible = [(person, kind) for person in who for kind in KINDS]
    told = rng.sample(possible, rng.randint(3, 6))
    sentences, answers = [], []
    for person, kind in told:
        answers.append(rng.choice(kind.answers))
        sentences.append(rng.choice(kind.told).format(who=person, what=answers[-1]))
    context = " ".join(sentences)
    if rng.random() < UNANSWERED:
        person, kind = rng.choice([each for each in possible if each not in told])
        return context, rng.choice(kind.asked).format(who=person), "", "", ""
    place = rng.randrange(len(told))
    person, kind = told[place]
    before = sum(len(sentence) + 1 for sentence in sentences[:place])
    start = before + sentences[place].index(answers[place])
    question = rng.choice(kind.asked).format(who=person)
    return context, question, answers[place], str(start), answers[place]
