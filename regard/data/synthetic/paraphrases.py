"""Generated pairs of sentences that mean the same or do not.

Each sentence tells who did what to whom, where and when. Those that mean the same differ in
synonyms, voice (active or passive) and in where the time stands; of those that do not, half have
agent and patient swapped, which no bag of words can tell, and half speak of something else in one
place. In the passive the patient comes first, so that neither order nor voice tells by itself.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from regard.data.schema import SPLITS

PARAPHRASE_LABELS = ("no", "yes")
CANDIDATES = 4
"""How many sentences stand beside each left one: half mean the same."""

NOUN_SYNONYMS = (
    ("dog", "hound"),
    ("boy", "lad"),
    ("doctor", "physician"),
    ("thief", "robber"),
    ("woman", "lady"),
    ("teacher", "instructor"),
    ("lawyer", "attorney"),
    ("king", "monarch"),
    ("writer", "author"),
    ("student", "pupil"),
    ("rabbit", "hare"),
    ("sailor", "seaman"),
    ("singer", "vocalist"),
    ("farmer", "peasant"),
    ("guest", "visitor"),
    ("child", "kid"),
)
VERB_SYNONYMS = (
    ("chased", "pursued"),
    ("helped", "assisted"),
    ("noticed", "spotted"),
    ("phoned", "called"),
    ("praised", "commended"),
    ("followed", "trailed"),
    ("scolded", "rebuked"),
    ("hired", "employed"),
    ("guarded", "protected"),
    ("greeted", "welcomed"),
    ("pushed", "shoved"),
    ("hugged", "embraced"),
)
ADJECTIVE_SYNONYMS = (
    ("big", "large"),
    ("small", "little"),
    ("quick", "fast"),
    ("angry", "furious"),
    ("happy", "glad"),
    ("rich", "wealthy"),
    ("brave", "courageous"),
    ("clever", "smart"),
    ("tired", "weary"),
    ("famous", "renowned"),
)
PLACE_SYNONYMS = (
    ("in the street", "in the road"),
    ("in the forest", "in the woods"),
    ("in the shop", "in the store"),
    ("in the garden", "in the yard"),
    ("in the harbor", "in the port"),
    ("in the city", "in the town"),
)
TIME_SYNONYMS = (
    ("at noon", "at midday"),
    ("at dawn", "at sunrise"),
    ("at dusk", "at sunset"),
    ("just now", "a moment ago"),
)
ROLE_SYNONYMS = {
    "agent": NOUN_SYNONYMS,
    "agent_kind": ADJECTIVE_SYNONYMS,
    "verb": VERB_SYNONYMS,
    "patient": NOUN_SYNONYMS,
    "patient_kind": ADJECTIVE_SYNONYMS,
    "place": PLACE_SYNONYMS,
    "time": TIME_SYNONYMS,
}


@dataclass(frozen=True)
class Event:
    """What a sentence means: for each role the number of a row of `ROLE_SYNONYMS`."""

    agent: int
    agent_kind: int
    verb: int
    patient: int
    patient_kind: int
    place: int
    time: int

    def swapped(self) -> "Event":
        """The same with agent and patient in each other's place, each as it is."""
        return replace(
            self,
            agent=self.patient,
            agent_kind=self.patient_kind,
            patient=self.agent,
            patient_kind=self.agent_kind,
        )


def paraphrase_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, ...]]:
    """`count` pairs (left, right, label) of a split, the same for the same seed.

    Each left sentence comes `CANDIDATES` times in a row, so that its partners can be ranked. What
    happens decides on the split, swapped or not, so an event that one split knows no other does.

    Raises `ValueError` for an unknown split or a negative count.

    >>> left, right, label = next(paraphrase_rows("train", 4, seed=3))
    >>> left
    'the small thief was spotted by the big vocalist in the port just now'
    >>> right, label
    ('just now the big singer was noticed by the small robber in the port', 'no')
    """
    rng = _generator(split, count, seed)
    for start in range(0, count, CANDIDATES):
        yield from _group(split, rng)[: count - start]


def similarity_rows(split: str, count: int, seed: int) -> Iterator[tuple[str, str, float]]:
    """`count` pairs of a split with how alike they are: 5 · the share of roles that agree.

    Of the seven things that a sentence tells, who, what, to whom, where, when ..., any number
    differs. What happens in the left sentence decides on the split.

    Raises `ValueError` for an unknown split or a negative count.

    >>> left, right, number = next(similarity_rows("train", 1, seed=1))
    >>> left
    'just now the wealthy monarch welcomed the large kid in the street'
    >>> right, number
    ('the courageous pupil chased the rich lawyer in the port just now', 0.71)
    """
    rng = _generator(split, count, seed)
    roles = list(ROLE_SYNONYMS.items())
    for _ in range(count):
        event = _event(split, rng)
        changed = rng.permutation(len(roles))[: rng.integers(len(roles) + 1)]
        other = event
        for role, words in (roles[place] for place in changed):
            shift = int(rng.integers(1, len(words)))
            other = replace(other, **{role: (getattr(event, role) + shift) % len(words)})
        alike = 5 * (1 - len(changed) / len(roles))
        left = sentence(event, rng)
        yield left, _another(other, left, rng), round(alike, 2)


def event_split(event: Event) -> str:
    """`train` for nine events of ten, else `valid` or `test`; the same for the swapped event."""
    sides = sorted([(event.agent, event.agent_kind), (event.patient, event.patient_kind)])
    name = repr((sides, event.verb, event.place, event.time))
    draw = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") % 20
    return "test" if draw == 0 else "valid" if draw == 1 else "train"


def sentence(event: Event, rng: np.random.Generator) -> str:
    """One of the ways to say it: synonyms, voice and the place of the time are drawn."""
    choices = {role: words[getattr(event, role)] for role, words in ROLE_SYNONYMS.items()}
    said = {role: words[rng.integers(len(words))] for role, words in choices.items()}
    agent, patient = (f"the {said[f'{who}_kind']} {said[who]}" for who in ("agent", "patient"))
    if rng.random() < 0.5:
        core = f"{agent} {said['verb']} {patient} {said['place']}"
    else:
        core = f"{patient} was {said['verb']} by {agent} {said['place']}"
    return f"{said['time']} {core}" if rng.random() < 0.5 else f"{core} {said['time']}"


def _generator(split: str, count: int, seed: int) -> np.random.Generator:
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    return np.random.default_rng([seed, SPLITS.index(split)])


def _group(split: str, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """A sentence beside two that mean the same, its swapped self, and one of another event."""
    event, other = _events(split, rng)
    left = sentence(event, rng)
    meant = [event, event, event.swapped(), other]
    pairs = [
        (left, _another(each, left, rng), PARAPHRASE_LABELS[number < 2])
        for number, each in enumerate(meant)
    ]
    return [pairs[place] for place in rng.permutation(CANDIDATES)]


def _events(split: str, rng: np.random.Generator) -> tuple[Event, Event]:
    """Two events of a split that differ in one thing."""
    changes = [
        (role, number) for role, words in ROLE_SYNONYMS.items() for number in range(len(words))
    ]
    while True:
        event = _event(split, rng)
        for place in rng.permutation(len(changes)):
            other = replace(event, **dict([changes[place]]))
            if other != event and other.agent != other.patient and event_split(other) == split:
                return event, other


def _event(split: str, rng: np.random.Generator) -> Event:
    """An event of a split."""
    while True:
        event = Event(*(int(rng.integers(len(words))) for words in ROLE_SYNONYMS.values()))
        if event.agent != event.patient and event_split(event) == split:
            return event


def _another(event: Event, than: str, rng: np.random.Generator) -> str:
    """A sentence for an event that is not, word for word, the one it stands beside."""
    while True:
        found = sentence(event, rng)
        if found != than:
            return found
