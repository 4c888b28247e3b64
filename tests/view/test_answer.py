"""An answer in a terminal and in a notebook: what was said, how sure, and where it attended."""

import re
import unicodedata
from dataclasses import dataclass

import pytest
import torch
from rich.cells import cell_len
from torch import Tensor

from regard.view.answer import MOST_DRAWN, drawn_answer
from regard.view.notebook import answer_html
from tests.view.parsed import parsed


@dataclass(frozen=True, eq=False)
class Answered:
    answers: tuple[tuple[str, float], ...] = (("yes", -0.25),)
    inputs: tuple[str, ...] = ("a", "b")
    outputs: tuple[str, ...] = ("yes",)
    weights: Tensor | None = None
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.inputs)

    @property
    def best(self) -> str:
        return self.answers[0][0]


WEIGHTS = torch.tensor([[0.25, 0.75]])


def test_the_best_answer_stands_first_and_several_have_their_scores() -> None:
    assert drawn_answer(Answered()) == "yes"
    several = Answered(answers=(("yes", -0.25), ("no", -1.5)))
    assert drawn_answer(several).split("\n") == ["yes", "    -0.250  yes", "    -1.500  no"]
    items = parsed(answer_html(several)).all("li")
    assert [item.text for item in items] == ["yes (-0.250)", "no (-1.500)"]


def test_the_alignment_is_drawn_where_there_is_one_and_it_is_wanted() -> None:
    shown = drawn_answer(Answered(weights=WEIGHTS))
    assert [line.split()[0] for line in shown.split("\n")[2:5]] == ["yes", "a", "b"]
    assert drawn_answer(Answered(weights=WEIGHTS), show=False) == "yes"
    assert drawn_answer(Answered(weights=torch.zeros(0, 2))) == "yes"


def test_what_was_never_seen_is_said() -> None:
    assert "never seen ☃, U+0007" in drawn_answer(Answered(unknown=("☃", "\x07")))


def test_a_notebook_shades_a_text_by_the_weights_of_its_tokens() -> None:
    html = answer_html(Answered(weights=WEIGHTS))
    text = [p for p in parsed(html).all("p") if p.all("span")][-1]
    words = [(w.text, w.attributes["title"], w.attributes["style"]) for w in text.all("span")]
    assert [word[:2] for word in words] == [("a", "0.250"), ("b", "0.750")]
    assert words[1][2].endswith("0.500)") and text.attributes["dir"] == "auto"


def test_a_notebook_has_inputs_above_outputs_where_there_are_several() -> None:
    two = Answered(outputs=("x", "y"), weights=torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    (table,) = parsed(answer_html(two)).all("table")
    assert [th.text for th in table.all("th")] == ["a", "b", "x", "y"]
    titles = [td.attributes.get("title") for td in table.all("td")]
    assert titles == [None, "0.250", "0.750", "1.000", "0.000"]


@pytest.mark.parametrize("hostile", ["<script>x</script>", '"><b>', "&lt;"])
def test_no_text_becomes_markup(hostile: str) -> None:
    answer = Answered(
        answers=((hostile, 0.0), (hostile, -1.0)),
        inputs=(hostile, "b"),
        outputs=(hostile,),
        weights=WEIGHTS,
    )
    html = answer_html(answer)
    assert hostile not in html and parsed(html)


def test_the_terminal_obeys_no_text() -> None:
    drawn = drawn_answer(Answered(inputs=("\x1b[31m", "b"), weights=WEIGHTS))
    assert "\x1b" not in drawn


def widest(drawn: str) -> int:
    return max(cell_len(line.replace("\u200e", "")) for line in drawn.split("\n"))


NAMES = tuple(f"w{n:03}" for n in range(MOST_DRAWN + 9))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (NAMES, NAMES),
        (NAMES, ("yes",)),
        (NAMES[:3], NAMES[:40]),
        (("年月日" * 30, "ا" * 50), ("a very long label " * 11, "好" * 40)),
        (("ab " * 60,), ("label " * 40,)),
        (("👩\u200d👩\u200d👧", "e\u0301", "\x1b[31m"), ("👍🏽", "ok")),
    ],
)
def test_no_line_of_an_alignment_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    weights = torch.full((len(outputs), len(inputs)), 1 / len(inputs))
    answer = Answered(answers=(("a", 0.0),), inputs=inputs, outputs=outputs, weights=weights)
    drawn = drawn_answer(answer)
    assert widest(drawn) <= width
    assert not any(unicodedata.category(c) == "Cc" for c in drawn.replace("\n", ""))


def test_outputs_that_do_not_fit_stand_below_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    drawn = drawn_answer(Answered(outputs=NAMES, weights=torch.ones(len(NAMES), 2)))
    assert re.findall(r"w\d{3}", drawn) == list(NAMES)
    assert drawn.count("██") == 2 * len(NAMES)


def test_of_very_many_inputs_the_strongest_are_drawn_and_what_is_left_out_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    weights = torch.full((2, len(NAMES)), 0.01)
    weights[0, 5], weights[1, 66] = 0.4, 0.2
    drawn = drawn_answer(Answered(inputs=NAMES, outputs=("x", "y"), weights=weights))
    assert "w005  ██··" in drawn and "w066  ··▓▓" in drawn
    said = " ".join(drawn.split("(█")[1].split())
    assert "stands for 0.400" in said and "none of the other 9 weighs more than 0.010" in said


def test_a_long_text_is_drawn_whole_with_its_shades_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    weights = torch.full((1, len(NAMES)), 0.001)
    weights[0, 7] = 0.5
    drawn = drawn_answer(Answered(inputs=NAMES, outputs=("yes",), weights=weights))
    assert re.findall(r"w\d{3}", drawn) == list(NAMES) and "(█ stands for 0.500)" in drawn
    lines = drawn.split("\n")
    number = next(n for n, line in enumerate(lines) if "w007" in line)
    assert lines[number + 1] == " " * lines[number].index("w007") + "████"


def test_right_to_left_answers_cannot_turn_their_scores_around() -> None:
    drawn = drawn_answer(Answered(answers=(("نعم", -0.1), ("لا", -2.0)))).split("\n")
    assert drawn[2] == "    -2.000  \u200eلا\u200e"


def test_a_notebook_shows_all_of_a_long_text_and_a_large_map_small() -> None:
    long = answer_html(Answered(inputs=NAMES, weights=torch.full((1, len(NAMES)), 0.01)))
    assert re.findall(r"w\d{3}", long) == list(NAMES)
    large = Answered(inputs=("a",) * 512, outputs=("b",) * 512, weights=torch.eye(512))
    assert len(answer_html(large)) < 20_000


def test_the_parts_of_a_picture_are_drawn_beside_the_strongest() -> None:
    weights = torch.full((2, 3), 0.1)
    weights[1, 2] = 0.5
    numbers = Answered(inputs=("1", "2", "3"), outputs=("1", "2"), weights=weights)
    drawn = drawn_answer(numbers)
    assert drawn.split("\n")[2:6] == ["   1 2", "1  ░░░░", "2  ░░░░", "3  ░░██"]
    assert "(█ stands for 0.500, and all of them sum to 1)" in drawn
    rows = Answered(inputs=("1", "2"), outputs=("1", "2"), weights=torch.full((2, 2), 0.5))
    assert "stands for" not in drawn_answer(rows)
