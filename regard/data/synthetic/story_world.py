"""A little world in which people walk, carry things and hand them over, and which is told.

Whoever tells a sentence remembers with it what it changed: where everybody and everything is, and
the numbers of the sentences that say so.
"""

from dataclasses import dataclass, field

import numpy as np

PEOPLE = ("Ada", "Boris", "Clara", "Dario")
PLACES = ("attic", "bakery", "cellar", "harbour", "library", "market")
THINGS = ("lamp", "map", "violin")

WALKED = ("walked to", "went to", "ran to", "returned to")
TOOK = ("took", "picked up", "grabbed")
DROPPED = ("put down", "dropped", "left")
GAVE = ("gave", "handed", "passed")


@dataclass(frozen=True)
class Stay:
    """A thing's being in a place, and the sentences that together say that it was there."""

    place: str
    support: tuple[int, ...]


@dataclass(frozen=True)
class Gift:
    """Who handed what to whom, and in which sentence."""

    giver: str
    thing: str
    taker: str
    sentence: int


@dataclass
class World:
    """What is so after the sentences told; sentences are numbered from 1.

    `at` is the place of a person and the sentence that told it. `held` names the things a person
    carries, each with the sentence in which it came to them, and `touched` the sentences in which
    what they carry changed. `stays` are the places of a thing, the latest last; a thing that was
    never taken has none.

    >>> world = World(np.random.default_rng(0))
    >>> world.walk("Ada", "attic")
    >>> world.take("Ada", "lamp")
    >>> world.walk("Ada", "market")
    >>> [stay.place for stay in world.stays["lamp"]], world.stays["lamp"][-1].support
    (['attic', 'market'], (2, 3))
    """

    rng: np.random.Generator
    sentences: list[str] = field(default_factory=list)
    at: dict[str, tuple[str, int]] = field(default_factory=dict)
    held: dict[str, dict[str, int]] = field(default_factory=lambda: {p: {} for p in PEOPLE})
    touched: dict[str, list[int]] = field(default_factory=lambda: {p: [] for p in PEOPLE})
    stays: dict[str, list[Stay]] = field(default_factory=lambda: {t: [] for t in THINGS})
    gifts: list[Gift] = field(default_factory=list)

    def one_of(self, words: tuple[str, ...] | list[str]) -> str:
        """Draw one."""
        return str(words[int(self.rng.integers(len(words)))])

    def walk(self, person: str, place: str) -> None:
        """Somebody goes somewhere, with all that they carry."""
        now = self._tell(f"{person} {self.one_of(WALKED)} the {place}.")
        self.at[person] = (place, now)
        for thing, since in self.held[person].items():
            self.stays[thing].append(Stay(place, (since, now)))

    def take(self, person: str, thing: str) -> None:
        """Somebody takes what lies where they are."""
        now = self._tell(f"{person} {self.one_of(TOOK)} the {thing}.")
        self._receive(person, thing, now)

    def drop(self, person: str, thing: str) -> None:
        """Somebody puts down what they carry."""
        now = self._tell(f"{person} {self.one_of(DROPPED)} the {thing}.")
        del self.held[person][thing]
        self.touched[person].append(now)
        self._stay(person, thing, now)

    def give(self, giver: str, thing: str, taker: str) -> None:
        """Somebody hands what they carry to somebody who is at the same place."""
        now = self._tell(f"{giver} {self.one_of(GAVE)} the {thing} to {taker}.")
        del self.held[giver][thing]
        self.touched[giver].append(now)
        self._receive(taker, thing, now)
        self.gifts.append(Gift(giver, thing, taker, now))

    def reachable(self, person: str) -> list[str]:
        """The things that a person could take: nobody holds them, and they are not elsewhere."""
        if person not in self.at:
            return []
        free = [t for t in THINGS if not any(t in held for held in self.held.values())]
        here = self.at[person][0]
        return [t for t in free if not self.stays[t] or self.stays[t][-1].place == here]

    def neighbours(self, person: str) -> list[str]:
        """Who else is known to be where this person is."""
        here = self.at.get(person, ("", 0))[0]
        return [p for p, (place, _) in self.at.items() if place == here and p != person]

    def _receive(self, person: str, thing: str, now: int) -> None:
        self.held[person][thing] = now
        self.touched[person].append(now)
        self._stay(person, thing, now)

    def _stay(self, person: str, thing: str, now: int) -> None:
        place, since = self.at[person]
        stay = Stay(place, tuple(sorted((since, now))))
        stays = self.stays[thing]
        # What stays where it was is told anew; it did not move.
        if stays and stays[-1].place == place:
            stays[-1] = stay
        else:
            stays.append(stay)

    def _tell(self, sentence: str) -> int:
        self.sentences.append(sentence)
        return len(self.sentences)
