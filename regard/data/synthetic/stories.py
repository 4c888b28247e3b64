"""Stories with questions, after the first eight of the bAbI tasks, drawn without end.

    qa1  where is a person                  one supporting sentence
    qa2  where is a thing                   two: who has it, and where they went
    qa3  where was a thing before           three
    qa4  which place lies north of another  one, whose words count in their order
    qa5  who gave what to whom              one
    qa6  is a person there: yes or no       one
    qa7  how many things does one carry     all that changed it
    qa8  which things does one carry        those that brought them

People, places and words are our own; the shape is that of the published data: a story goes on
while five questions are asked about it (qa4: one question about two sentences).

References:
    Jason Weston, Antoine Bordes, Sumit Chopra, et al. Towards AI-Complete Question Answering: A Set
    of Prerequisite Toy Tasks. 2015. https://arxiv.org/abs/1502.05698
"""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from regard.data.schema import SPLITS
from regard.data.synthetic.story_world import PEOPLE, PLACES, THINGS, World

QUESTIONS = 5
"""Questions to one story."""
COUNT_WORDS = ("none", "one", "two", "three")
LANDMARKS = (*PLACES, "mill", "school", "station", "theatre")
DIRECTIONS = ("north", "south", "east", "west")

StoryRow = tuple[str, str, str, str]
Question = tuple[str, str, tuple[int, ...]]
"""A question, its answer, and the numbers of the sentences that support it, from 1."""


def story_rows(split: str, count: int, seed: int, kind: str = "qa1") -> Iterator[StoryRow]:
    """`count` rows of story, question, answer and support, the same for the same arguments.

    The story is its sentences joined by line feeds, the support numbers of sentences, from 1,
    joined by spaces. A story belongs to a split by a digest of how it begins, so no row of one
    split is ever one of another, whatever the seed. `kind` is one of `STORY_KINDS`, or `all` for
    the stories of every kind in turn.

    Raises `ValueError` for a split or kind that is not known.

    >>> story, question, answer, support = next(story_rows("train", 1, seed=0))
    >>> print(story)
    Dario ran to the harbour.
    Boris walked to the bakery.
    >>> question, answer, support
    ('Where is Dario?', 'harbour', '1')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if kind != "all" and kind not in STORY_KINDS:
        raise ValueError(f"kind must be one of {', '.join(STORY_KINDS)} or all, got {kind!r}")
    kinds = list(STORY_KINDS) if kind == "all" else [kind]
    return _rows(split, count, seed, kinds)


def story_split(row: StoryRow) -> str:
    """`train` for eight stories of ten, else `valid` or `test`: a digest of story and question."""
    draw = hashlib.blake2b("\n".join(row[:2]).encode(), digest_size=4).digest()
    part = int.from_bytes(draw, "big") % 10
    return "test" if part == 0 else "valid" if part == 1 else "train"


def _rows(split: str, count: int, seed: int, kinds: list[str]) -> Iterator[StoryRow]:
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    left, turn = count, 0
    while left > 0:
        story = STORY_KINDS[kinds[turn % len(kinds)]](rng)
        first = next(story)
        if story_split(first) != split:
            continue
        turn += 1
        for row in (first, *story):
            yield row
            left -= 1
            if not left:
                return


def _told(
    ask: Callable[[World], Question | None], act: Callable[[World], None], pause: int
) -> Callable[[np.random.Generator], Iterator[StoryRow]]:
    """A kind of story: at most `pause` acts, then what can be asked, `QUESTIONS` times."""

    def story(rng: np.random.Generator) -> Iterator[StoryRow]:
        world, asked = World(rng), 0
        while asked < QUESTIONS:
            for _ in range(int(rng.integers(2, pause + 1))):
                act(world)
            found = ask(world)
            while found is None:
                act(world)
                found = ask(world)
            question, answer, support = found
            numbers = " ".join(map(str, sorted(support)))
            yield "\n".join(world.sentences), question, answer, numbers
            asked += 1

    return story


def _walk(world: World) -> None:
    person = world.one_of(PEOPLE)
    here = world.at.get(person, ("", 0))[0]
    world.walk(person, world.one_of([place for place in PLACES if place != here]))


def _carry(world: World) -> None:
    """Walk, or take or put down where that is possible."""
    person, draw = world.one_of(PEOPLE), world.rng.random()
    if draw < 0.35 and world.reachable(person):
        world.take(person, world.one_of(world.reachable(person)))
    elif draw > 0.8 and world.held[person]:
        world.drop(person, world.one_of(list(world.held[person])))
    else:
        _walk(world)


def _trade(world: World) -> None:
    """Hand over where two have met, or lead one who carries something to another."""
    givers = [p for p in PEOPLE if world.held[p] and world.neighbours(p)]
    if givers and world.rng.random() < 0.6:
        giver = world.one_of(givers)
        thing = world.one_of(list(world.held[giver]))
        world.give(giver, thing, world.one_of(world.neighbours(giver)))
    else:
        _carry(world)


def _person(world: World) -> Question:
    person = world.one_of(list(world.at))
    place, sentence = world.at[person]
    return f"Where is {person}?", place, (sentence,)


def _thing(world: World) -> Question | None:
    known = [thing for thing in THINGS if world.stays[thing]]
    if not known:
        return None
    thing = world.one_of(known)
    stay = world.stays[thing][-1]
    return f"Where is the {thing}?", stay.place, stay.support


def _before(world: World) -> Question | None:
    found = []
    for thing in THINGS:
        if len(world.stays[thing]) < 2:
            continue
        old, new = world.stays[thing][-2:]
        support = tuple({*old.support, *new.support})
        if len(support) == 3:
            found.append((f"Where was the {thing} before the {new.place}?", old.place, support))
    return found[int(world.rng.integers(len(found)))] if found else None


def _gift(world: World) -> Question | None:
    if not world.gifts:
        return None
    gift = world.gifts[-1]
    giver, thing, taker = gift.giver, gift.thing, gift.taker
    asked = (
        (f"What did {giver} give to {taker}?", thing),
        (f"Who gave the {thing} to {taker}?", giver),
        (f"Who gave the {thing}?", giver),
        (f"Who received the {thing}?", taker),
        (f"Who did {giver} give the {thing} to?", taker),
    )
    question, answer = asked[int(world.rng.integers(len(asked)))]
    return question, answer, (gift.sentence,)


def _whether(world: World) -> Question:
    person = world.one_of(list(world.at))
    place, sentence = world.at[person]
    if world.rng.random() < 0.5:
        return f"Is {person} in the {place}?", "yes", (sentence,)
    other = world.one_of([p for p in PLACES if p != place])
    return f"Is {person} in the {other}?", "no", (sentence,)


def _count(world: World) -> Question | None:
    known = [person for person in PEOPLE if world.touched[person]]
    if not known:
        return None
    person = world.one_of(known)
    answer = COUNT_WORDS[len(world.held[person])]
    return f"How many things is {person} carrying?", answer, tuple(world.touched[person])


def _list(world: World) -> Question | None:
    known = [person for person in PEOPLE if world.touched[person]]
    if not known:
        return None
    person = world.one_of(known)
    held = world.held[person]
    support = tuple(held.values()) if held else tuple(world.touched[person])
    return f"What is {person} carrying?", ",".join(sorted(held)) or "nothing", support


def _map(rng: np.random.Generator) -> Iterator[StoryRow]:
    """Two sentences about three places in a line, and a question about the one between."""
    one, middle, other = (LANDMARKS[int(place)] for place in rng.permutation(len(LANDMARKS))[:3])
    to = DIRECTIONS[int(rng.integers(4))]
    told = [f"The {one} is {to} of the {middle}.", f"The {middle} is {to} of the {other}."]
    asked = [(f"What is {to} of the {middle}?", one), (f"What is the {middle} {to} of?", other)]
    which, turned = int(rng.integers(2)), int(rng.integers(2))
    story = told[::-1] if turned else told
    yield "\n".join(story), *asked[which], str(1 + (which != turned))


STORY_KINDS: dict[str, Callable[[np.random.Generator], Iterator[StoryRow]]] = {
    "qa1": _told(_person, _walk, 2),
    "qa2": _told(_thing, _carry, 5),
    "qa3": _told(_before, _carry, 8),
    "qa4": _map,
    "qa5": _told(_gift, _trade, 5),
    "qa6": _told(_whether, _walk, 2),
    "qa7": _told(_count, _carry, 3),
    "qa8": _told(_list, _carry, 3),
}
"""Name → the story of that kind which a generator draws, as rows that it grows by."""
