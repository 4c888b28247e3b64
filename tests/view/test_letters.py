"""Text is cut between letters as a reader sees them, and tokens stand as their line would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from regard.view.letters import as_shown, beginning, folded, letters

FAMILY, FLAG, ACCENTED = "👩\u200d👩\u200d👧", "🇩🇪", "e\u0301"


@pytest.mark.parametrize("letter", [FAMILY, FLAG, ACCENTED, "👍🏽", "नि", "가", "✈️"])
def test_marks_and_joined_emoji_belong_to_one_letter(letter: str) -> None:
    assert letters("a" + letter + letter + "b") == ["a", letter, letter, "b"]


@given(st.text(), st.integers(1, 40))
def test_a_beginning_begins_the_text_and_cuts_no_letter(text: str, most: int) -> None:
    start = beginning(text, most)
    assert text.startswith(start) and len(start) <= most
    assert letters(text)[: len(letters(start))] == letters(start)


@given(st.text(st.sampled_from(f"ab 年月ا{ACCENTED}{FAMILY}")), st.integers(4, 12))
def test_folded_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    lines = folded(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        ("abc", "abc"),
        ("אבג", "גבא"),
        ("אב 12 ג", "ג 12 בא"),
        ("a אב 12", "a 12 בא"),
        ("a אב b", "a בא b"),
        ("אב ab ג", "ג ab בא"),
        ("12 אב", "בא 12"),
        ("a12", "a12"),
        (" .", " ."),
    ],
)
def test_tokens_stand_from_left_to_right_as_their_line_is_shown(tokens: str, shown: str) -> None:
    assert "".join(tokens[n] for n in as_shown(tokens)) == shown


@given(st.lists(st.sampled_from(["a", "א", "1", " ", "ب", ",", "ab 1"])))
def test_every_token_is_shown_once(tokens: list[str]) -> None:
    assert sorted(as_shown(tokens)) == list(range(len(tokens)))
