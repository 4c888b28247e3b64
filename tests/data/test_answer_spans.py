"""Answers are found in their contexts as the words that they touch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding.answer_spans import found_at, span_of, words_in
from regard.data.encoding.hashed_words import HashedWords, lower_words, word_spans
from regard.data.encoding.vocabulary import Vocabulary

CONTEXT = "In 1990s Paris, the U.S. team (Ann's) won; Paris wept. 東京も。"


@pytest.mark.parametrize(
    ("answer", "start", "words"),
    [
        ("Paris", "", ["Paris"]),
        ("the U.S. team", "", ["the", "U", ".", "S", ".", "team"]),
        ("1990", "", ["1990s"]),
        (" won ", "", ["won"]),
        ("(Ann's)", "31", ["(", "Ann", "'", "s", ")"]),
        ("京", "", ["京"]),
        ("", "", None),
        ("London", "", []),
        ("paris", "", []),
    ],
)
def test_an_answer_is_the_words_it_touches(answer: str, start: str, words: list[str]) -> None:
    found = span_of(CONTEXT, answer, start)
    if words is None:
        assert found == [0, 0]
        return
    spans = word_spans(CONTEXT)
    between = spans[found[0] - 1 : found[1]] if found else []
    assert [CONTEXT[start:stop] for start, stop in between] == words


@pytest.mark.parametrize(
    ("start", "place"), [("9", 9), ("", 9), ("43", 43), ("42.0", 43), ("30", 43), ("20", 9)]
)
def test_of_several_places_the_one_nearest_to_what_was_said_counts(start: str, place: int) -> None:
    assert found_at(CONTEXT, "Paris", start) == place


def test_what_is_no_word_has_no_words() -> None:
    assert words_in([(0, 2), (3, 5)], 2, 3) is None
    assert span_of("  ", "x", "") == [] and span_of("a", "a", "7") == [1, 1]


@given(st.text(max_size=40), st.data())
def test_every_piece_of_a_text_with_a_word_in_it_is_found_around_its_words(
    text: str, data: st.DataObject
) -> None:
    spans = word_spans(text)
    assert [text[a:b].lower() for a, b in spans] == lower_words(text)
    assert "".join(text[a:b] for a, b in spans) == "".join(text.split())
    if not spans:
        return
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, len(spans) - 1))
    answer = text[spans[first][0] : spans[last][1]]
    assert span_of(text, answer, str(spans[first][0])) == [first + 1, last + 1]


def test_unknown_words_are_the_same_on_both_sides_and_never_a_known_one() -> None:
    words = HashedWords(Vocabulary.build(["is"]), buckets=50)
    one, other = words.encode(["IS Zorro Tango", "tango is zorro"])
    assert sorted(one.tolist()) == sorted(other.tolist()) and one[0] == other[1] == 4
    assert all(5 <= number < len(words) == 55 for number in (one[1], one[2]))
    assert words.unknown("Is Zorro zorro") == ["zorro"]


def test_rare_words_are_read_as_unknown_ones_are() -> None:
    words = HashedWords.learned(["a b a", "B c"], 2, 9)
    assert words.vocabulary.tokens[4:] == ("a", "b")
