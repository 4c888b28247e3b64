"""Rare words are read by how they are spelled, and no signature is a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.encoding.signatures import SignedWords, cells_of, signatures, words_of

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("word", "whole", "shape"),
    [
        ("running", "x ng", "x"),
        ("Running", "Xx ng", "Xx"),
        ("NATO", "X to", "X"),
        ("McDonald", "XxXx ld", "XxXx"),
        ("3.50", "d.d", "d.d"),
        ("COVID-19", "X-d", "X-d"),
        ("東京都市", "x 都市", "x"),
        ("to", "x", "x"),
        ("...", ".", "."),
    ],
)
def test_a_signature_is_the_shape_and_the_last_letters(word: str, whole: str, shape: str) -> None:
    assert signatures(word) == (f"\t{whole}", f"\t{shape}")


@given(WORDS)
def test_no_word_is_a_signature_and_a_signature_is_short(word: str) -> None:
    for each in signatures(word):
        assert each.startswith("\t") and each not in cells_of(word) and len(each) <= 14


@given(st.lists(WORDS, max_size=30), st.lists(WORDS, max_size=10), st.integers(1, 3))
def test_frequent_words_are_known_and_others_are_read_by_what_they_share(
    words: list[str], others: list[str], least: int
) -> None:
    known = SignedWords.learned(words, least)
    numbers = known.numbers(words + others)
    for word, number in zip(words + others, numbers, strict=True):
        token = known.vocabulary.tokens[number]
        if words.count(word) >= least and word not in known.vocabulary.tokens[:4]:
            assert token == word
        elif number != known.vocabulary.unknown_id and word not in known.vocabulary.tokens:
            assert token in signatures(word)


def test_the_signature_of_a_known_word_is_learned_from_rare_ones_alone() -> None:
    known = SignedWords.learned(["cats"] * 5 + ["dogs", "hats", "Rome"], 2)
    assert known.vocabulary.tokens[4:] == ("\tx", "cats")
    assert known.numbers(["cats", "dogs", "bats", "Oslo"]) == [5, 4, 4, 1]
    assert known.unknown(["cats", "Oslo", "dogs", "Oslo"]) == ["Oslo", "dogs"]


def test_sentences_are_rows_of_numbers_and_an_empty_one_is_an_empty_row() -> None:
    known = SignedWords.learned(["a", "a", "b", "b"], 2)
    assert [row.tolist() for row in known.encode(["a\tb", "", "b"])] == [[4, 5], [], [5]]


def test_a_text_is_cut_at_tabs_where_it_has_some_else_at_signs() -> None:
    assert words_of("Don't stop, 3.5 e-mails (U.S.)!") == [
        *("Don't", "stop", ",", "3.5", "e-mails", "(", "U.S", ".", ")", "!"),
    ]
    assert words_of("New York\tis, big") == ["New York", "is, big"]
    assert words_of("  ") == []
