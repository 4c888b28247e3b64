"""Generated pairs mean what their label says, no shortcut tells, and no split knows another's."""

from collections import Counter

import numpy as np
import pytest

from regard.data.synthetic.paraphrases import (
    CANDIDATES,
    ROLE_SYNONYMS,
    SPLITS,
    Event,
    event_split,
    paraphrase_rows,
    similarity_rows,
)


def event_of(text: str) -> Event:
    """Read a sentence back."""
    passive = " was " in text
    for role in ("place", "time"):
        for number, synonyms in enumerate(ROLE_SYNONYMS[role]):
            for said in synonyms:
                if said in text:
                    text, found = text.replace(said, ""), number
        if role == "place":
            place = found
    words = [word for word in text.split() if word not in ("the", "was", "by")]
    roles = ("patient_kind", "patient", "verb", "agent_kind", "agent")
    if not passive:
        roles = ("agent_kind", "agent", "verb", "patient_kind", "patient")
    numbers = {
        role: next(n for n, synonyms in enumerate(ROLE_SYNONYMS[role]) if word in synonyms)
        for role, word in zip(roles, words, strict=True)
    }
    return Event(**numbers, place=place, time=found)


def test_the_label_says_whether_both_tell_the_same() -> None:
    for left, right, label in paraphrase_rows("train", 400, seed=1):
        assert (event_of(left) == event_of(right)) == (label == "yes")
        assert left != right


def test_half_of_the_pairs_mean_the_same_and_a_quarter_is_swapped() -> None:
    pairs = list(paraphrase_rows("train", 400, seed=1))
    assert Counter(label for *_, label in pairs) == {"yes": 200, "no": 200}
    swapped = sum(event_of(left).swapped() == event_of(right) for left, right, _ in pairs)
    assert swapped == 100


def test_neither_voice_nor_length_nor_the_words_of_one_side_tell_the_label() -> None:
    pairs = list(paraphrase_rows("train", 2000, seed=1))
    yes, no = ([p for p in pairs if p[2] == label] for label in ("yes", "no"))

    def share(some: list[tuple[str, ...]]) -> float:
        return float(np.mean([(" was " in left) == (" was " in right) for left, right, _ in some]))

    assert share(yes) == pytest.approx(share(no), abs=0.05)
    lengths = [np.mean([len(right.split()) for _, right, _ in some]) for some in (yes, no)]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.2)


def test_every_left_sentence_comes_with_its_candidates() -> None:
    pairs = list(paraphrase_rows("valid", 80, seed=2))
    for start in range(0, 80, CANDIDATES):
        group = pairs[start : start + CANDIDATES]
        assert len({left for left, *_ in group}) == 1
        assert Counter(label for *_, label in group) == {"yes": 2, "no": 2}


def test_no_event_of_one_split_is_told_in_another() -> None:
    told = {
        split: {event_of(text) for pair in paraphrase_rows(split, 120, seed=0) for text in pair[:2]}
        for split in SPLITS
    }
    for split, events in told.items():
        assert {event_split(event) for event in events} == {split}
        assert {event_split(event.swapped()) for event in events} == {split}
    assert not told["train"] & (told["valid"] | told["test"])


def test_the_same_seed_gives_the_same_pairs_and_a_longer_run_begins_alike() -> None:
    assert (
        list(paraphrase_rows("train", 10, seed=5))
        == list(paraphrase_rows("train", 22, seed=5))[:10]
    )
    assert list(paraphrase_rows("train", 10, seed=5)) != list(paraphrase_rows("train", 10, seed=6))
    state = np.random.get_state()[1].copy()
    assert list(paraphrase_rows("test", 0, seed=0)) == []
    list(paraphrase_rows("test", 4, seed=0))
    assert np.array_equal(np.random.get_state()[1], state)


def test_a_similarity_is_five_times_the_share_of_what_both_tell() -> None:
    rows = list(similarity_rows("train", 400, seed=1))
    for left, right, number in rows:
        one, other = (vars(event_of(side)) for side in (left, right))
        same = sum(one[role] == other[role] for role in ROLE_SYNONYMS)
        assert number == round(5 * same / len(ROLE_SYNONYMS), 2) and left != right
        assert event_split(event_of(left)) == "train"
    counts = Counter(number for *_, number in rows)
    assert len(counts) == len(ROLE_SYNONYMS) + 1 and min(counts.values()) > 25
    assert rows[:7] == list(similarity_rows("train", 7, seed=1))
    assert rows[:7] != list(similarity_rows("train", 7, seed=2))
    with pytest.raises(ValueError, match="split must be one of train, valid, test, got 'dev'"):
        next(similarity_rows("dev", 1, 0))


def test_the_split_never_changes() -> None:
    # A changed hash would let a new version examine a model on what it was trained on.
    splits = [event_split(Event(0, 0, 0, 1, kind, 0, 0)) for kind in range(10)]
    assert splits == KEPT


def test_wrong_questions_are_refused_with_what_was_given() -> None:
    with pytest.raises(ValueError, match="train, valid, test, got 'tset'"):
        next(paraphrase_rows("tset", 1, seed=0))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        next(paraphrase_rows("train", -1, seed=0))


KEPT = [*["train"] * 3, "valid", *["train"] * 2, "test", *["train"] * 3]
"""The splits of ten events that differ in what the patient is like."""
