"""Tokens stand in their text as it was written, unknown ones too, and nothing is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.view.running import along, joined


def shown(tokens: list[str], text: str) -> tuple[str, str]:
    pieces, rest = along(tokens, text)
    assert len(pieces) == len(tokens)
    return "".join(before + token for before, token in pieces), rest


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["the", "film", ",", "good"], "The  film,\ngood"),
        (["▁un", "like", "▁it"], "unlike it"),
        (list("هذا ا"), "هذا ا"),
        (["这", "<unk>", "<unk>", "看"], "这非常看"),
        (["<unk>", "a", "<unk>"], "x a yy"),
        (["a", " ", "b"], "a b"),
        (["a", "</s>", "b"], "a b"),
        (["<fr>", "l", "e"], "<fr> le"),
    ],
)
def test_tokens_of_a_text_are_shown_as_the_text(tokens: list[str], text: str) -> None:
    assert shown(tokens, text) == (text, "")


def test_what_was_not_read_is_what_is_left() -> None:
    assert shown(["a", "long"], "a long text") == ("a long", " text")
    assert along(["a", "<unk>"], "a long text")[1] == " text"


@pytest.mark.parametrize("tokens", [["x", "y"], ["<c3>", "<a9>"], ["a", "<unk>", "z"], ["b", "a"]])
def test_tokens_of_another_text_are_put_together_by_themselves(tokens: list[str]) -> None:
    assert along(tokens, "a b") == (joined(tokens), "")


@given(st.lists(st.text(min_size=1)), st.text())
def test_any_tokens_and_any_text_have_a_piece_for_each_token(tokens: list[str], text: str) -> None:
    pieces, rest = along(tokens, text)
    assert len(pieces) == len(tokens) and text.endswith(rest)
