"""A drawn alignment shows the weights it was given, in every script, and obeys no token."""

import unicodedata

import pytest
import torch
from rich.cells import cell_len

from regard._printable import printable
from regard.view.terminal import SHADES, alignment, shade, visible

HOSTILE = ["\x1b[31m", "\x07", "\r", "\n", "\x9b2J", "\u202e", "\u2066", "\ud800", "\x00", "\u2028"]


def drawn(weights: torch.Tensor, outputs: str, inputs: list[str]) -> list[str]:
    return alignment(weights, outputs, inputs).split("\n")


def test_there_is_one_line_per_input_under_a_line_of_outputs() -> None:
    lines = drawn(torch.eye(3), "123", ["a", "b", "c"])
    assert lines == ["   1 2 3", "a  ██", "b    ██", "c      ██"]


def test_a_larger_weight_is_never_drawn_lighter() -> None:
    shades = [(" " + SHADES).index(shade(n / 1000)) for n in range(1001)]
    assert shades == sorted(shades) and set(shades) == set(range(6))


@pytest.mark.parametrize("weight", [float("nan"), -1.0, 0.0])
def test_a_weight_that_is_none_is_blank(weight: float) -> None:
    assert shade(weight) == " "


@pytest.mark.parametrize(
    "inputs",
    [
        ["<zh>", "年", "3", "月"],
        ["<ar>", "م", "ا", "\u200f"],
        ["<th>", "\u0e31", "\u0301", "a"],
        ["<x>", "👍", "\u200d", "\ufe0f"],
        ["👩\u200d👩\u200d👧", "می\u200cخواهم", "🇩🇪", "नि"],
        ["<fa>", "\u200c", "۳", " "],
        ["<x>", *HOSTILE[:3]],
    ],
)
def test_columns_stand_under_each_other_in_every_script(inputs: list[str]) -> None:
    lines = drawn(torch.ones(3, 4), "123", inputs)
    margins = {cell_len(line.split("█")[0]) for line in lines[1:]}
    assert len(lines) == 5 and len(margins) == 1
    assert cell_len(lines[0].split("1")[0]) == margins.pop()


def test_right_to_left_letters_cannot_turn_a_line_around() -> None:
    lines = drawn(torch.ones(1, 2), "1", ["ש", "a"])
    assert lines[1].startswith("\u200eש\u200e") and not lines[2].startswith("\u200e")


@pytest.mark.parametrize("token", HOSTILE)
def test_no_token_is_obeyed(token: str) -> None:
    for text in (visible(token), printable(token), alignment(torch.ones(1, 1), [token], [token])):
        assert not any(
            unicodedata.category(c) in ("Cc", "Cs", "Zl") for c in text.replace("\n", "")
        )
        assert not set(text) & set("\u202e\u2066")
    assert len(alignment(torch.ones(1, 1), [token], [token]).split("\n")) == 2


def test_wide_outputs_keep_their_columns() -> None:
    lines = drawn(torch.eye(2), ["年", "U"], ["a", "b"])  # type: ignore[arg-type]
    assert cell_len(lines[0].split("U")[0]) == cell_len(lines[2].split("█")[0])


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    assert drawn(torch.empty(0, 2), "", ["a", "b"]) == ["", "a", "b"]
    assert drawn(torch.empty(2, 0), "12", []) == ["  1 2"]


def test_weights_of_other_tokens_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"\[2, 3\].* 3 outputs and 2 inputs"):
        alignment(torch.ones(2, 3), "123", ["a", "b"])
