"""Sentences with names of people, places, companies and days, tagged word by word (BIO).

A word alone does not tell: `Florence`, `Austin` and others name people, places and companies, so
that what stands around them has to be read. Some names come in validation and test data alone, and
are known there only by how they are spelled and where they stand.
"""

from collections.abc import Iterator
from random import Random

from regard.data.schema import SPLITS

OUTSIDE = "O"

ANYTHING = "Florence Austin Sydney Chelsea Jackson Madison Charlotte Victoria Lincoln Kent".split()
"""Names of people, places and companies alike."""
FIRST_NAMES = (
    "Anna Boris Clara David Elena Frank Grace Henry Ingrid Jonas Karin Louis Maria".split()
)
LAST_NAMES = "Miller Novak Rossi Schmidt Tanaka Olsen Weber Fischer Costa Moreau Lindqvist".split()
CITIES = "Oslo Rome Vienna Lisbon Prague Dublin Athens Warsaw Bergen Geneva Porto Turin".split()
COMPANIES = "Nortek Velora Quanta Bridgestone Helix Omnia Redwood Solara Tarkett Zenova".split()
MONTHS = "January February March April May June July August September October".split()

UNSEEN = {
    "first": "Ulrich Petra Quentin Rosalind".split(),
    "last": "Bergman Kowalski Romano Haugen".split(),
    "city": "Tallinn Bristol Malaga Krakow".split(),
    "company": "Axiom Fidelta Lumira Stratos".split(),
}
"""Names that no training sentence has."""

SEEN = {"first": FIRST_NAMES, "last": LAST_NAMES, "city": CITIES, "company": COMPANIES}

FORMS = (
    "{per} moved from {loc} to {loc} in {date} .",
    "{per} works for {org} in {loc} .",
    "{org} has hired {per} and {per} .",
    "In {date} , {org} opened an office in {loc} .",
    "The mayor of {loc} met {per} on {date} .",
    "{per} , who was born in {loc} , leads {org} .",
    "Shares of {org} fell on {date} .",
    "It rained in {loc} when {per} arrived .",
    "On {date} {per} left {org} .",
    "{org} and {org} merged in {date} , said {per} .",
    "Nobody in {loc} had heard of {per} .",
    "The train to {loc} was late again .",
)


def name_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    r"""`count` sentences of a split and their tags, tabs between the words; the same for each seed.

    Raises `ValueError` for an unknown split.

    >>> words, tags = next(name_rows("train", 1, seed=3))
    >>> words.replace("\t", " ")
    'In January 1999 , Bridgestone Group opened an office in Dublin .'
    >>> tags.replace("\t", " ")
    'O B-DATE I-DATE O B-ORG I-ORG O O O O B-LOC O'
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    rng = Random(f"names {split} {seed}")
    for _ in range(count):
        words, tags = _sentence(rng, split != "train")
        yield "\t".join(words), "\t".join(tags)


def _sentence(rng: Random, unseen: bool) -> tuple[list[str], list[str]]:
    words: list[str] = []
    tags: list[str] = []
    for piece in rng.choice(FORMS).split():
        kind = piece.strip("{}")
        if kind == piece:
            words.append(piece)
            tags.append(OUTSIDE)
            continue
        name = _name(rng, kind, unseen)
        words += name
        tags += [f"{'I' if place else 'B'}-{kind.upper()}" for place in range(len(name))]
    return words, tags


def _name(rng: Random, kind: str, unseen: bool) -> list[str]:
    """The words of a name."""
    if kind == "date":
        month = rng.choice(MONTHS)
        return rng.choice(([month], [str(rng.randint(1, 28)), month], [month, str(_year(rng))]))
    if kind == "per":
        last = _drawn(rng, "last", unseen)
        return rng.choice(([last], [_drawn(rng, "first", unseen), last]))
    if kind == "loc":
        city = _drawn(rng, "city", unseen)
        return rng.choice(([city], [city], ["New", city]))
    company = _drawn(rng, "company", unseen)
    return rng.choice(([company], [company, rng.choice(("Group", "Bank", "Motors"))]))


def _drawn(rng: Random, kind: str, unseen: bool) -> str:
    """A word: in one case of four one that names anything, in data to judge by often a new one."""
    if rng.random() < 0.25:
        return rng.choice(ANYTHING)
    return rng.choice(UNSEEN[kind] if unseen and rng.random() < 0.3 else SEEN[kind])


def _year(rng: Random) -> int:
    return rng.randint(1980, 2029)
