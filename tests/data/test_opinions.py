"""Opinions are made as the grammar says, their places decide, and the splits share nothing."""

import math
from collections import Counter
from collections.abc import Callable

import pytest

from regard.data.synthetic.opinion_words import (
    ADJECTIVES,
    BARE_VERBS,
    NEGATIONS,
    OPINION_VERBS,
    QUALITIES,
)
from regard.data.synthetic.opinions import (
    SPLITS,
    Opinion,
    Review,
    document_rows,
    opinion_rows,
    opinion_split,
    reviews,
    short_reviews,
)

POLAR = {
    word: sign
    for table in (ADJECTIVES, OPINION_VERBS, BARE_VERBS, QUALITIES)
    for sign, words in table.items()
    for word in words
}
TURNS = sorted((*NEGATIONS, "no", "hardly any"), key=len, reverse=True)


def judged(opinion: Opinion) -> int:
    """What the deciding words of a sentence amount to: the polar one, turned around or not."""
    chosen = [opinion.words[place] for place in opinion.decides]
    (polar,) = [word for word in chosen if word in POLAR]
    rest = " ".join(word for word in chosen if word != polar)
    assert rest in ("", *TURNS)
    return -POLAR[polar] if rest else POLAR[polar]


@pytest.mark.parametrize("made", [short_reviews, reviews])
def test_what_decides_adds_up_to_the_label(made: Callable) -> None:
    for review in made("train", 150, 0):
        signs = {judged(one) for one in review.sentences if one.decides}
        assert signs == {1 if review.label == "positive" else -1}


def test_of_two_clauses_the_main_one_decides() -> None:
    seen: Counter[str] = Counter()
    for review in short_reviews("train", 300, 1):
        (opinion,) = review.sentences
        text = " ".join(opinion.words)
        for marker in (", but", "although", ", even though"):
            if marker in text:
                start = text[: text.index(marker)].split()
                border = opinion.words.index(",", len(start))
                later = marker != ", even though"
                assert all((place > border) == later for place in opinion.decides)
                seen[marker] += 1
    assert min(seen.values()) > 20


def test_one_or_two_sentences_of_a_document_decide_and_hearsay_does_not() -> None:
    counts, heard = Counter(), 0
    for review in reviews("train", 200, 0):
        assert 4 <= len(review.sentences) <= 10
        counts[sum(bool(one.decides) for one in review.sentences)] += 1
        heard += any(POLAR.keys() & set(o.words) for o in review.sentences if not o.decides)
    assert set(counts) == {1, 2}
    assert heard > 100


@pytest.mark.parametrize("made", [opinion_rows, document_rows])
def test_splits_share_no_text_whatever_the_seed(made: Callable) -> None:
    texts = [{text for text, _ in made(s, 40, seed)} for s in SPLITS for seed in (0, 1)]
    assert all(len(one) == 40 for one in texts), "no text stands twice"
    parts = [texts[0] | texts[1], texts[2] | texts[3], texts[4] | texts[5]]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert all(
        opinion_split(text) == split
        for split, part in zip(SPLITS, parts, strict=True)
        for text in part
    )


@pytest.mark.parametrize("made", [opinion_rows, document_rows])
def test_rows_depend_on_split_and_seed_alone(made: Callable) -> None:
    first = list(made("valid", 12, 3))
    assert first == list(made("valid", 12, 3))
    assert first[:5] == list(made("valid", 5, 3))
    assert first != list(made("valid", 12, 4))


@pytest.mark.parametrize("made", [opinion_rows, document_rows])
def test_labels_are_balanced_and_rows_are_written_as_they_are_read(made: Callable) -> None:
    found = list(made("train", 300, 0))
    labels = Counter(label for _, label in found)
    assert set(labels) == {"positive", "negative"}
    assert min(labels.values()) > 110
    for text, _ in found:
        lines = text.split("\n")
        assert all(line.endswith(" .") and line == " ".join(line.split()) for line in lines)
        assert (len(lines) == 1) == (made is opinion_rows)


def naive_bayes(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> float:
    """The share that a bag of words gets right."""
    counts = {label: Counter() for label in ("positive", "negative")}
    for text, label in train:
        counts[label].update(set(text.split()))
    sizes = Counter(label for _, label in train)
    right = 0
    for text, label in test:
        scores = {
            one: math.log(sizes[one])
            + sum(
                math.log((counts[one][word] + 1) / (sizes[one] + 2)) for word in set(text.split())
            )
            for one in counts
        }
        right += max(scores, key=lambda one: scores[one]) == label
    return right / len(test)


def test_single_words_decide_little() -> None:
    assert (
        naive_bayes(list(opinion_rows("train", 1500, 0)), list(opinion_rows("test", 120, 0))) < 0.7
    )
    assert (
        naive_bayes(list(document_rows("train", 500, 0)), list(document_rows("test", 60, 0))) < 0.7
    )


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'dev'"):
        next(opinion_rows("dev", 1, 0))


def test_places_move_with_their_words() -> None:
    joined = Opinion(("a", "b"), (1,)) + Opinion(("c", "d"), (0,))
    assert joined == Opinion(("a", "b", "c", "d"), (1, 2))
    assert Review((joined, joined), "positive").text == "a b c d\na b c d"
