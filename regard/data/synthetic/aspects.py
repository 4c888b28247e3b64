"""Reviews that praise or blame several things at once: a text with any number of labels.

Each sentence says one thing. Those about food, service, room or price that judge give a label, such
as `good food`; those that tell what happened give none, and neither noun nor adjective alone tells.
"""

import hashlib
from collections.abc import Iterator
from random import Random

from regard.data.schema import SPLITS
from regard.data.synthetic.opinion_words import ADJECTIVES, DEGREES, OPINION_VERBS

THINGS = {
    "food": "soup bread dessert salad coffee".split(),
    "service": "waiter cook porter manager clerk".split(),
    "room": "bed balcony shower carpet window".split(),
    "price": "bill fee deposit fare discount".split(),
}
JUDGED = {1: "good", -1: "bad"}
FEW = 8
"""Adjectives and verbs of either sign that are used, the first ones: they are soon learned."""
TOLD = (
    "we asked about the {thing} .",
    "the {thing} was next to the {other} .",
    "my friend talked about the {thing} and the {other} .",
    "there was one {thing} for all of us .",
)
MOST_JUDGED, MOST_TOLD = 3, 2


def aspect_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    r"""Reviews and their labels, with tabs between them; none at all in some.

    Raises `ValueError` for another split.

    >>> text, labels = list(aspect_rows("train", 3, seed=0))[2]
    >>> text
    'the bill was dreadful . the waiter was clumsy . we asked about the bed .'
    >>> labels
    'bad price\tbad service'
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    seen: set[str] = set()
    rng = Random(f"{split} {seed}")
    while len(seen) < count:
        text, labels = _review(rng)
        if aspect_split(text) == split and text not in seen:
            seen.add(text)
            yield text, "\t".join(labels)


def aspect_split(text: str) -> str:
    """`train` for eight texts of ten, else `valid` or `test`: a hash of the text decides.

    >>> aspect_split("we asked about the soup .")
    'train'
    """
    part = hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % 10
    return SPLITS[max(0, part - 7)]


def _review(rng: Random) -> tuple[str, list[str]]:
    """A text, and its labels in the order of the alphabet."""
    judged = rng.sample(list(THINGS), rng.randint(0, MOST_JUDGED))
    signs = {aspect: rng.choice((1, -1)) for aspect in judged}
    sentences = [_judgement(rng, aspect, sign) for aspect, sign in signs.items()]
    least = 0 if judged else 1
    sentences += [_fact(rng) for _ in range(rng.randint(least, MOST_TOLD))]
    rng.shuffle(sentences)
    return " ".join(sentences), sorted(f"{JUDGED[sign]} {each}" for each, sign in signs.items())


def _judgement(rng: Random, aspect: str, sign: int) -> str:
    thing = rng.choice(THINGS[aspect])
    if rng.random() < 0.3:
        return f"I {rng.choice(OPINION_VERBS[sign][:FEW])} the {thing} ."
    degree = f"{rng.choice(DEGREES[:FEW])} " if rng.random() < 0.3 else ""
    return f"the {thing} was {degree}{rng.choice(ADJECTIVES[sign][:FEW])} ."


def _fact(rng: Random) -> str:
    thing, other = rng.sample([each for things in THINGS.values() for each in things], 2)
    return rng.choice(TOLD).format(thing=thing, other=other)
