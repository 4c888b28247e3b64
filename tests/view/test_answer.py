"""An answer in a terminal and in a notebook: what was said, how sure, and where it attended."""

import re
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from regard.view.answer import MOST_DRAWN, answer_html, drawn_answer


@dataclass(frozen=True, eq=False)
class Answered:
    answers: tuple[tuple[str, float], ...] = (("yes", -0.25),)
    inputs: tuple[str, ...] = ("a", "b")
    outputs: tuple[str, ...] = ("yes",)
    weights: Tensor | None = None
    unknown: tuple[str, ...] = ()


WEIGHTS = torch.tensor([[0.25, 0.75]])


def test_the_best_answer_stands_first_and_several_have_their_scores() -> None:
    assert drawn_answer(Answered()) == "yes"
    several = Answered(answers=(("yes", -0.25), ("no", -1.5)))
    assert drawn_answer(several).split("\n") == ["yes", "    -0.250  yes", "    -1.500  no"]
    assert answer_html(several) == "<ol><li>yes (-0.250)</li><li>no (-1.500)</li></ol>"


def test_the_alignment_is_drawn_where_there_is_one_and_it_is_wanted() -> None:
    shown = drawn_answer(Answered(weights=WEIGHTS))
    assert [line.split()[0] for line in shown.split("\n")[2:5]] == ["yes", "a", "b"]
    assert drawn_answer(Answered(weights=WEIGHTS), show=False) == "yes"
    assert drawn_answer(Answered(weights=torch.zeros(0, 2))) == "yes"


def test_what_was_never_seen_is_said() -> None:
    assert "never seen ☃, U+0007" in drawn_answer(Answered(unknown=("☃", "\x07")))


def test_a_table_has_a_row_for_each_input_as_dark_as_its_weight() -> None:
    html = answer_html(Answered(weights=WEIGHTS))
    rows = re.findall(r"<tr><th>([^<]*)</th><td title=\"(.*?)\" style=\"(.*?)\">", html)
    assert [(name, weight) for name, weight, _ in rows] == [("a", "0.250"), ("b", "0.750")]
    assert rows[1][2].endswith("0.750)")


@pytest.mark.parametrize("hostile", ["<script>x</script>", '"><b>', "&lt;"])
def test_no_text_becomes_markup(hostile: str) -> None:
    answer = Answered(
        answers=((hostile, 0.0), (hostile, -1.0)),
        inputs=(hostile, "b"),
        outputs=(hostile,),
        weights=WEIGHTS,
    )
    html = answer_html(answer)
    assert hostile not in html and html.count("<tr>") == 3


def test_the_terminal_obeys_no_text() -> None:
    drawn = drawn_answer(Answered(inputs=("\x1b[31m", "b"), weights=WEIGHTS))
    assert "\x1b" not in drawn


def test_of_very_long_answers_the_beginning_is_drawn_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    count = MOST_DRAWN + 9
    names = tuple(f"w{n:03}" for n in range(count))
    long = Answered(inputs=names, outputs=names, weights=torch.eye(count))
    drawn = drawn_answer(long)
    assert f"(only the first {MOST_DRAWN} by 12 tokens are drawn)" in drawn
    assert max(map(len, drawn.split("\n"))) <= 80
    assert answer_html(long).count("<tr>") == MOST_DRAWN + 1
