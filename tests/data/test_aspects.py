"""Reviews of several things: labels are what is judged and how, and some have none."""

from collections import Counter

import pytest

from regard.data.schema import SPLITS
from regard.data.synthetic.aspects import THINGS, aspect_rows, aspect_split
from regard.data.synthetic.opinion_words import ADJECTIVES, OPINION_VERBS

SIGNS = {w: s for words in (ADJECTIVES, OPINION_VERBS) for s in (1, -1) for w in words[s]}


def judged(text: str) -> list[str]:
    """The labels that the sentences of a text amount to."""
    found = set()
    for sentence in text.split(" ."):
        words = sentence.split()
        signs = [SIGNS[word] for word in words if word in SIGNS]
        if signs:
            (kind,) = [kind for kind, things in THINGS.items() if {*things} & {*words}]
            found.add(f"{'good' if signs == [1] else 'bad'} {kind}")
    return sorted(found)


def test_the_labels_are_what_the_sentences_say() -> None:
    counts: Counter[int] = Counter()
    labels: Counter[str] = Counter()
    for text, cell in aspect_rows("train", 400, 0):
        found = cell.split("\t") if cell else []
        assert found == judged(text)
        counts[len(found)] += 1
        labels.update(found)
    assert set(counts) == {0, 1, 2, 3} and min(counts.values()) > 50
    assert len(labels) == 8 and min(labels.values()) > 40


def test_splits_share_no_text_and_rows_depend_on_split_and_seed_alone() -> None:
    for split in SPLITS:
        rows = list(aspect_rows(split, 40, 3))
        assert len({text for text, _ in rows}) == 40
        assert all(aspect_split(text) == split for text, _ in rows)
        assert rows[:9] == list(aspect_rows(split, 9, 3)) != list(aspect_rows(split, 9, 4))


def test_another_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split must be one of"):
        next(aspect_rows("dev", 1, 0))
