"""Drawn stories can be repeated, keep their splits apart, and are supported by what they name."""

import re

import pytest

from regard.data.synthetic.stories import COUNT_WORDS, STORY_KINDS, story_rows, story_split
from regard.data.synthetic.story_world import DROPPED, GAVE, PLACES, TOOK, WALKED

WALK = re.compile(rf"(\w+) ({'|'.join(WALKED)}) the (\w+)\.")
TAKE = re.compile(rf"(\w+) ({'|'.join(TOOK)}) the (\w+)\.")
DROP = re.compile(rf"(\w+) ({'|'.join(DROPPED)}) the (\w+)\.")
GIVE = re.compile(rf"(\w+) ({'|'.join(GAVE)}) the (\w+) to (\w+)\.")


def replayed(story: str) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Where people are, who has what, and the places of each thing, told from the text alone."""
    at: dict[str, str] = {}
    owner: dict[str, str] = {}
    places: dict[str, list[str]] = {}

    def lies(thing: str, place: str) -> None:
        if places.setdefault(thing, [place])[-1] != place:
            places[thing].append(place)

    for sentence in story.split("\n"):
        if found := WALK.fullmatch(sentence):
            at[found[1]] = found[3]
            for thing in (thing for thing, person in owner.items() if person == found[1]):
                lies(thing, found[3])
        elif found := TAKE.fullmatch(sentence):
            assert found[3] not in owner
            owner[found[3]] = found[1]
            lies(found[3], at[found[1]])
        elif found := DROP.fullmatch(sentence):
            assert owner.pop(found[3]) == found[1]
            lies(found[3], at[found[1]])
        else:
            found = GIVE.fullmatch(sentence)
            assert found is not None and owner[found[3]] == found[1]
            assert at[found[1]] == at[found[4]]
            owner[found[3]] = found[4]
    return at, owner, places


def answered(kind: str, story: str, question: str) -> str:
    """The answer, found from the text alone."""
    at, owner, places = replayed(story) if kind != "qa4" else ({}, {}, {})
    words = question.rstrip("?").split()
    if kind == "qa1":
        return at[words[-1]]
    if kind == "qa2":
        return places[words[-1]][-1]
    if kind == "qa3":
        assert places[words[3]][-1] == words[-1]
        return places[words[3]][-2]
    if kind == "qa4":
        if words[1] == "is" and words[2] != "the":
            return re.search(rf"The (\w+) is {words[2]} of the {words[-1]}\.", story)[1]
        return re.search(rf"The {words[3]} is {words[4]} of the (\w+)\.", story)[1]
    if kind == "qa5":
        giver, _, thing, taker = [m for m in map(GIVE.fullmatch, story.split("\n")) if m][
            -1
        ].groups()
        by = {"What did": thing, "Who gave": giver, "Who received": taker, "Who did": taker}
        return by[" ".join(words[:2])]
    if kind == "qa6":
        return "yes" if at[words[1]] == words[-1] else "no"
    held = sorted(thing for thing, person in owner.items() if person == words[-2])
    return COUNT_WORDS[len(held)] if kind == "qa7" else ",".join(held) or "nothing"


@pytest.mark.parametrize("kind", STORY_KINDS)
def test_every_answer_follows_from_the_story(kind: str) -> None:
    for story, question, answer, _ in story_rows("train", 150, seed=3, kind=kind):
        assert answered(kind, story, question) == answer


@pytest.mark.parametrize("kind", ["qa1", "qa4", "qa6"])
def test_one_supporting_sentence_alone_gives_the_answer(kind: str) -> None:
    for story, question, answer, support in story_rows("train", 100, seed=0, kind=kind):
        assert answered(kind, story.split("\n")[int(support) - 1], question) == answer


def test_the_sentence_that_supports_a_gift_tells_of_that_gift() -> None:
    for story, question, answer, support in story_rows("train", 100, seed=0, kind="qa5"):
        gift = GIVE.fullmatch(story.split("\n")[int(support) - 1])
        assert gift is not None and answer in gift.groups()
        asked = set(question.rstrip("?").split()) & {"Ada", "Boris", "Clara", "Dario"}
        assert asked <= {gift[1], gift[4]}


@pytest.mark.parametrize(("kind", "facts"), [("qa2", 2), ("qa3", 3)])
def test_the_supporting_sentences_name_the_thing_and_its_place(kind: str, facts: int) -> None:
    for story, question, answer, support in story_rows("train", 100, seed=0, kind=kind):
        sentences = story.split("\n")
        numbers = [int(number) for number in support.split()]
        assert len(set(numbers)) == facts and numbers == sorted(numbers)
        told = " ".join(sentences[number - 1] for number in numbers)
        thing = question.rstrip("?").split()[3]
        assert f"the {thing}" in told and f"the {answer}" in told


@pytest.mark.parametrize("kind", ["qa7", "qa8"])
def test_what_one_carries_is_supported_by_what_brought_it(kind: str) -> None:
    for story, question, answer, support in story_rows("train", 100, seed=0, kind=kind):
        person = question.rstrip("?").split()[-2]
        told = [story.split("\n")[int(number) - 1] for number in support.split()]
        assert told and all(f"{person} " in sentence for sentence in told)
        if kind == "qa8" and answer != "nothing":
            assert sorted(s.rstrip(".").split()[-1] for s in told) == answer.split(",")


@pytest.mark.parametrize("kind", [*STORY_KINDS, "all"])
def test_the_same_arguments_draw_the_same_rows(kind: str) -> None:
    few, many = (list(story_rows("valid", count, seed=5, kind=kind)) for count in (7, 21))
    assert many[:7] == few and len(many) == 21
    assert list(story_rows("valid", 21, seed=6, kind=kind)) != many


@pytest.mark.parametrize("kind", STORY_KINDS)
def test_no_row_of_one_split_is_one_of_another(kind: str) -> None:
    parts = [
        {row[:2] for seed in (0, 1) for row in story_rows(split, 80, seed, kind=kind)}
        for split in ("train", "valid", "test")
    ]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_all_kinds_come_in_turn() -> None:
    found = list(story_rows("train", 36 * 2, seed=0, kind="all"))
    assert {story_split(row) for row in found[:1]} == {"train"}
    questions = " ".join(row[1] for row in found)
    for start in ("Where is", "before the", " of?", "Who", "Is ", "How many", "What is"):
        assert start in questions


def test_answers_are_spread_over_the_places() -> None:
    answers = [row[2] for row in story_rows("train", 600, seed=0)]
    assert all(answers.count(place) > 60 for place in PLACES)


def test_what_is_not_known_is_refused_before_the_first_row() -> None:
    with pytest.raises(ValueError, match="split must be one of train, valid, test, got 'dev'"):
        story_rows("dev", 1, 0)
    with pytest.raises(ValueError, match="kind must be one of qa1, .*, got 'qa21'"):
        story_rows("train", 1, 0, kind="qa21")
