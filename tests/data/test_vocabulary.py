"""Vocabularies are lists without repetition, with the specials in front."""

import pytest

from regard.data.encoding.vocabulary import SPECIAL_TOKENS, Vocabulary


def test_encoding_and_decoding_are_inverse_on_known_tokens() -> None:
    letters = Vocabulary.build("hello")
    assert letters.decode(letters.encode("hole")) == list("hole")


def test_the_order_of_building_does_not_matter() -> None:
    assert Vocabulary.build("ab") == Vocabulary.build("bba")


def test_an_unknown_token_is_read_as_unknown_and_can_be_named() -> None:
    letters = Vocabulary.build("ab")
    assert letters.decode(letters.encode("axb")) == ["a", "<unk>", "b"]
    assert letters.unknown("axby") == ["x", "y"]


def test_specials_stand_where_they_are_said_to_stand() -> None:
    letters = Vocabulary.build("ab")
    numbers = [letters.pad, letters.unknown_id, letters.begin, letters.end]
    assert letters.decode(numbers) == list(SPECIAL_TOKENS)


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        (("a", *SPECIAL_TOKENS), "begin with"),
        ((*SPECIAL_TOKENS, "a", "a"), "distinct"),
        ((*SPECIAL_TOKENS, ""), "non-empty"),
        ((*SPECIAL_TOKENS, 3), "non-empty"),
    ],
)
def test_a_list_that_is_no_vocabulary_is_refused(tokens: tuple[str, ...], why: str) -> None:
    # Without the hook that checks annotations, as a file is read without it.
    with pytest.raises(Exception, match=why if 3 not in tokens else "non-empty|type"):
        Vocabulary(tokens)
